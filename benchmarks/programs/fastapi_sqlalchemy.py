"""A receiver on FastAPI, as its tutorial has it: a session of SQLAlchemy for each request, which a dependency gives.

uvicorn --app-dir benchmarks/programs fastapi_sqlalchemy:app
"""

import json
import os
from collections.abc import Iterator
from typing import Annotated

from event_table import Base, Event
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from signed import is_signed
from sqlalchemy import create_engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

SECRET = os.environ["WEBHOOK_SECRET"]

engine = create_engine(f"sqlite:///{os.environ['DATABASE']}", connect_args={"check_same_thread": False})
Base.metadata.create_all(engine)
app = FastAPI()


def get_session() -> Iterator[Session]:
    """A session for the request."""
    with Session(engine) as session:
        yield session


async def get_body(request: Request) -> bytes:
    """The body as it came: the signature is over its bytes."""
    body: bytes = await request.body()
    return body


@app.post("/webhooks/livepeer", status_code=204)
def receive(
    body: Annotated[bytes, Depends(get_body)],
    session: Annotated[Session, Depends(get_session)],
    livepeer_signature: Annotated[str, Header()] = "",
) -> None:
    """Keep an event, once."""
    if not is_signed(livepeer_signature, body, SECRET):
        raise HTTPException(status_code=401)
    told = json.loads(body)
    session.add(Event(id=told["id"], kind=told["event"], created_ms=told["createdAt"], body=body))
    try:
        session.commit()
    except IntegrityError:
        session.rollback()
