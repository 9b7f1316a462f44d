"""The HTML templates beside this file. Autoescape is on: all text that comes in is inert."""

from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

from plumbline.aggregate.notes import contaminated_words
from plumbline.report.inline import inline
from plumbline.report.words import clean_text, grid_note, heading_text, heat, rank_text


def render(name: str, **context: Any) -> str:
    """The template `name` filled with `context`; jinja2.UndefinedError for a missing name."""
    return environment().get_template(name).render(context)


@cache
def environment() -> jinja2.Environment:
    """Our templates, with the functions they call."""
    loader = jinja2.PackageLoader("plumbline.report", "templates")
    result = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    result.globals.update(
        heading_text=heading_text,
        rank_text=rank_text,
        heat=heat,
        clean_text=clean_text,
        contaminated_words=contaminated_words,
        grid_note=grid_note,
        inline_svg=lambda svg: Markup(inline(svg)),
        style_sheet=lambda: Markup(loader.get_source(result, "style.css")[0]),
    )
    return result
