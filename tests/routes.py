"""The list of routes that review sees: `python -m tests.routes` writes tests/routes.txt anew."""

from pathlib import Path

from flask import Flask

import web

FILE = Path(__file__).with_name("routes.txt")


def lines(app: Flask) -> list[str]:
    """Every route with its methods and what it takes to enter, as the file has them."""
    with app.app_context():
        return sorted(
            f"{rule.rule:<85} {' '.join(sorted((rule.methods or set()) - {'HEAD', 'OPTIONS'})):<9} "
            f"{web.mark_of_endpoint(rule.endpoint)}"
            for rule in app.url_map.iter_rules()
        )


if __name__ == "__main__":
    from app import create_app

    FILE.write_text("\n".join(lines(create_app())) + "\n", encoding="utf-8")
