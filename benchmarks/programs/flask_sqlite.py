"""A receiver on Flask, as its tutorial has it: a connection to SQLite for each request, kept in `g`.

gunicorn --chdir benchmarks/programs 'flask_sqlite:create_app()'
"""

import json
import os
import sqlite3

from flask import Flask, Response, abort, current_app, g, request
from signed import is_signed

SCHEMA = """
    CREATE TABLE IF NOT EXISTS events (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, created_ms INTEGER NOT NULL, body BLOB NOT NULL
    );
"""


def get_db() -> sqlite3.Connection:
    """The request's connection."""
    if "db" not in g:
        g.db = sqlite3.connect(current_app.config["DATABASE"])
    connection: sqlite3.Connection = g.db
    return connection


def close_db(_: BaseException | None = None) -> None:
    """The request is over."""
    connection = g.pop("db", None)
    if connection is not None:
        connection.close()


def create_app() -> Flask:
    """The application, its database ready."""
    app = Flask(__name__)
    app.config.from_mapping(DATABASE=os.environ["DATABASE"], SECRET=os.environ["WEBHOOK_SECRET"])
    app.teardown_appcontext(close_db)
    with app.app_context():
        get_db().executescript(SCHEMA)

    @app.post("/webhooks/livepeer")
    def receive() -> Response:
        body = request.get_data()
        if not is_signed(request.headers.get("Livepeer-Signature", ""), body, app.config["SECRET"]):
            abort(401)
        told = json.loads(body)
        row = (told["id"], told["event"], told["createdAt"], body)
        connection = get_db()
        connection.execute(
            "INSERT INTO events (id, kind, created_ms, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", row
        )
        connection.commit()
        return Response(status=204)

    return app
