"""The options of `lumio send` that say what a message holds."""

from __future__ import annotations

from typing import Annotated

import typer

Texts = list[str] | None

To = Annotated[
    Texts, typer.Option(metavar="RECIPIENT", help="Whom to send to; repeat it for more.")
]
Kind = Annotated[str, typer.Option(help="The kind of message, where what is given leaves it open.")]
Text = Annotated[str | None, typer.Option(help="The text.")]
TextFile = Annotated[str | None, typer.Option(metavar="FILE|-", help="A file with the text.")]
Blocks = Annotated[str | None, typer.Option(metavar="FILE|-", help="A JSON file of blocks.")]
Media = Annotated[
    str | None,
    typer.Option("--media", "--file", metavar="FILE|URL", help="A file to send, or a link to it."),
]
Caption = Annotated[str | None, typer.Option(help="What stands below a media file.")]
Template = Annotated[str | None, typer.Option(metavar="NAME", help="A template that is approved.")]
Language = Annotated[str | None, typer.Option(help="The template's language, such as pt_BR.")]
Param = Annotated[
    Texts, typer.Option(metavar="VALUE|NAME=VALUE", help="A parameter of the template; repeat it.")
]
Button = Annotated[Texts, typer.Option(metavar="ID=TITLE", help="A reply button; repeat it.")]
ListFile = Annotated[
    str | None, typer.Option("--list", metavar="FILE|-", help="A JSON file of a list to choose of.")
]
Thread = Annotated[str | None, typer.Option(metavar="ID", help="The thread to answer in.")]
At = Annotated[
    str | None, typer.Option(metavar="TIME", help="When, such as 2026-05-04T09:00:00-03:00.")
]
Set = Annotated[
    Texts, typer.Option("--set", metavar="FIELD=VALUE", help="Any other field; repeat for a list.")
]
