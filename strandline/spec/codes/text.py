"""SL1: the file and its text."""

from __future__ import annotations

from strandline.spec.codes.code import Code

CODES = (
    Code(
        "SL100",
        "A file or folder cannot be read",
        "The folder of the streams is not there, or a file in it cannot be opened.",
        "config/streams/           no such folder",
        "Name the right configuration with `--config`, and look at the file's permissions.",
        "folder",
    ),
    Code(
        "SL101",
        "Not UTF-8",
        "The file holds bytes that are no UTF-8 text, often because an editor saved it as Latin-1.",
        "description: {purpose: Commandes re\\xe7ues}",
        "Save the file as UTF-8.",
        "folder",
    ),
    Code(
        "SL102",
        "Not YAML",
        "The text breaks YAML's grammar: a quote or bracket that is never closed, a colon inside a plain value, a value that starts "
        "with a sign YAML keeps for itself. Nothing further is said about the file until it can be read.",
        "description: {purpose: Orders: all of them}",
        "Put the whole value in quotes; single quotes take everything but a single quote as it stands.",
    ),
    Code(
        "SL103",
        "Indented with a tab",
        "YAML is indented with spaces only.",
        "description:\n\tpurpose: Orders",
        "Replace the tab by spaces; `.editorconfig` makes editors do so.",
    ),
    Code(
        "SL104",
        "Indentation that fits nowhere",
        "A line is indented by as much as no line above it, or further than a line that already has a value.",
        "team:\n    name: shop\n  owner: shop@example.com",
        "Indent it like the line it belongs beside.",
    ),
    Code(
        "SL105",
        "A key twice",
        "A mapping has the same key twice. Most YAML readers silently take the last; which one was meant is for you to say.",
        "tags: [shop]\ntags: [orders]",
        "Keep one of the two.",
    ),
    Code(
        "SL106",
        "Anchor, alias or merge key",
        "`&name`, `*name` and `<<` are not read: a reader of the file should see what it says where it says it, and a few of them "
        "nested grow to gigabytes.",
        "tags: &all [shop]",
        "Write the value out. What many streams share belongs into `config/defaults.yaml`. Quote a text that begins with & or *.",
    ),
    Code(
        "SL107",
        "Tag",
        "A tag such as `!!python/object` can make readers run code, so none is read.",
        "team: !!python/object:os.system {name: shop, owner: shop@example.com}",
        "Leave the tag out. Quote a text that begins with an exclamation mark.",
    ),
    Code(
        "SL108",
        "Nested too deeply",
        "More than 30 levels of mappings and lists.",
        f"tags: {'[' * 40}{']' * 40}",
        "Nothing that a stream can say is nested so deeply: look for brackets that are never closed.",
    ),
    Code(
        "SL109",
        "File too large",
        "A file has at most 1,000,000 bytes.",
        "config/streams/orders.yaml     3,200,000 bytes",
        "Split the stream, or take the data out of it.",
        "folder",
    ),
    Code(
        "SL110",
        "A key that is no text",
        "Keys are names; a plain `on: `, `12: ` or `{a: b}: ` is a number, nothing or a mapping to YAML.",
        "12: orders",
        "Put the key in quotes when it is meant as a text.",
    ),
    Code(
        "SL111",
        "Several documents",
        "`---` begins another document; a file holds one.",
        "---\nstream: visits",
        "One file, one stream: split it.",
    ),
    Code(
        "SL112",
        "Empty file",
        "There is nothing in the file but comments.",
        "# to do",
        "Write the stream, or remove the file.",
        "folder",
    ),
    Code(
        "SL113",
        "Unusable number",
        "Infinity, not-a-number, and numbers of more than 40 characters are refused.",
        "interval: .inf",
        "Leave a limit out when there is none; quote a text that looks like a number.",
    ),
    Code(
        "SL114",
        "A file that is not read",
        "Streams and DAG files end in `.yaml`; a `.yml` beside them would be passed over silently.",
        "config/streams/orders.yml",
        "Rename it to end in `.yaml`, or move it elsewhere.",
        "folder",
    ),
    Code(
        "SL115",
        "Too many values",
        "A file holds at most 12,000 keys and values, so that no file can hold up the others.",
        "tags: [a, a, a, …]",
        "Split the stream; data belongs into the source, not into the file.",
        "folder",
    ),
    Code(
        "SL116",
        "Too many problems",
        "The text has more than 100 problems, and reading stops there.",
        "tags: [*a, *a, *a, …]",
        "Mend the first ones: most of the others are of the same kind.",
        "folder",
    ),
)
