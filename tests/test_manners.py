"""The tests' own eyes: sloppy pages are noticed, and forms are sent as a browser would."""

import pytest
from flask import Flask
from selectolax.lexbor import LexborHTMLParser

from tests.browser import Watch
from tests.html_forms import Form
from tests.manners import faults
from tests.servers import WebServer

TIDY = """<!doctype html><html lang="en"><head><title>Deals - Portico</title>
<meta name="viewport" content="width=device-width"></head><body><main><h1>Deals</h1>
<form method="post" id="deal"><input type="hidden" name="csrf_token" value="t">
<label for="n">Name</label><input id="n" name="name" value="Acme">
<label>Note <textarea name="note">
one
two</textarea></label>
<label><input type="checkbox" name="urgent">Urgent</label>
<label><input type="radio" name="kind" value="a" checked>A</label>
<label><input type="radio" name="kind" value="b">B</label>
<label>Role <select name="role">
<option value="1">Viewer</option><option value="2">Finance</option></select></label>
<label>Old <input name="old" disabled value="x"></label>
<button>Save</button><button name="do" value="delete">Delete</button></form></main></body></html>"""


def page(html: str) -> LexborHTMLParser:
    return LexborHTMLParser(html)


def test_a_tidy_page_has_no_faults():
    assert faults(page(TIDY)) == []


@pytest.mark.parametrize(
    ("tidy", "sloppy", "told"),
    [
        (' lang="en"', "", "no lang"),
        ("<h1>Deals</h1>", "<h1>Deals</h1><h1>More</h1>", "2 <h1>"),
        ("<title>Deals", "<title>Portico", "does not begin with the heading"),
        ("<h1>", "<style>h1 {}</style><h1>", "styles of its own"),
        ("<h1>", '<p style="color: red">x</p><h1>', "styles of its own"),
        ("<h1>", "<script>go()</script><h1>", "script of its own"),
        ("<button>", '<button onclick="go()">', "is a handler"),
        ("<h1>", '<a href="javascript:go()">x</a><h1>', "is a script"),
        ("<h1>", '<img src="//evil.test/x.png" alt="x"><h1>', "from elsewhere"),
        ("<h1>", '<img src="/x.png"><h1>', "no alt"),
        ('<label for="n">', '<label for="m">', "has no label"),
        ('<label for="n">', '<label for="m">', "which is not there"),
        ('name="csrf_token"', 'name="token"', "no csrf_token"),
        ("<h1>", '<p id="n">x</p><h1>', "there 2 times"),
        ("<button>Save", '<button><svg aria-hidden="true"></svg>', "has no words"),
        ("<h1>", "<p>Hello %(name)s</p><h1>", "it says"),
    ],
)
def test_a_sloppy_page_is_noticed(tidy, sloppy, told):
    assert any(told in fault for fault in faults(page(TIDY.replace(tidy, sloppy, 1))))


def test_a_form_is_sent_as_a_browser_would():
    form = Form.find(page(TIDY), None, None)
    assert form.method == "POST"
    assert form.values() == [
        ("csrf_token", "t"),
        ("name", "Acme"),
        ("note", "one\r\ntwo"),
        ("kind", "a"),
        ("role", "1"),
    ]


def test_a_form_takes_what_a_person_could_enter():
    form = Form.find(page(TIDY), "deal", "Delete")
    form.fill({"name": "", "urgent": True, "kind": "b", "role": "Finance"})
    sent = dict(form.values())
    assert (sent["name"], sent["urgent"], sent["kind"], sent["role"]) == ("", "on", "b", "2")
    assert sent["do"] == "delete"


@pytest.mark.parametrize("impossible", [{"old": "y"}, {"colour": "red"}, {"role": "King"}, {"kind": "c"}])
def test_a_form_refuses_what_nobody_could_enter(impossible):
    form = Form.find(page(TIDY), "Save", None)
    with pytest.raises(AssertionError, match=r"no field|does not offer"):
        form.fill(impossible)


def test_a_browser_notices_what_a_page_does_wrong(chromium):
    app = Flask(__name__)

    @app.route("/")
    def _wrong():
        inside = '<script>1</script><img src="/missing.png" alt=""><img src="http://evil.test/x.png" alt="">'
        return f"<!doctype html><title>x</title>{inside}", {"Content-Security-Policy": "script-src 'self'"}

    server = WebServer()
    server.serve(app)
    watch = Watch(server.url)
    context = chromium.new_context()
    try:
        watch.over(context)
        context.new_page().goto(server.url, wait_until="load")
    finally:
        context.close()
        server.stop()
    told = "\n".join(watch.faults)
    assert "Content Security Policy" in told
    assert "404 from" in told
    assert "asked another host: http://evil.test/x.png" in told
