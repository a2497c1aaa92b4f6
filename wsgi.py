"""What the web server loads: `granian --interface wsgi wsgi:application`."""

from app import create_app

application = create_app()
