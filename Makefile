.PHONY: serve test check format

.venv: pyproject.toml constraints.txt
	python3 -m venv .venv && .venv/bin/python -m pip install -q -c constraints.txt -e '.[dev]' && touch .venv

serve: .venv
	.venv/bin/receiver serve

test: .venv
	.venv/bin/python -m pytest -n auto

check: .venv
	.venv/bin/ruff format --check && .venv/bin/ruff check && .venv/bin/mypy && .venv/bin/python -m pytest -n auto

format: .venv
	.venv/bin/ruff format && .venv/bin/ruff check --fix
