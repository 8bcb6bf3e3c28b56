"""SL6: files of config/dags."""

from __future__ import annotations

from strandline.spec.codes.code import Code

_TASK = "tasks: {one: {operator: bootstrap}}"

CODES = (
    Code(
        "SL600",
        "No DAG file",
        "The folder `config/dags` holds no file, so nothing would ever run.",
        "config/dags/      empty",
        "Add a file a layer: infrastructure, speed, batch, serving.",
        "folder",
    ),
    Code(
        "SL601",
        "A placeholder in a name",
        "The name of a DAG, group or task may hold `${stream.name}` inside a `for_each: stream`, and nothing else.",
        f"a_${{stream.owner}}:\n  for_each: stream\n  schedule: null\n  {_TASK}",
        "Use `${stream.name}`.",
        "dag",
    ),
    Code(
        "SL602",
        "One name for all streams",
        "What is repeated for each stream needs `${stream.name}` in its name; otherwise each copy would replace the one before.",
        f"a:\n  for_each: stream\n  schedule: null\n  {_TASK}",
        "Put `${stream.name}` into the name.",
        "dag",
    ),
    Code(
        "SL603",
        "Unknown placeholder",
        "`${…}` stands for one of a closed list of names, and those of a stream only inside a `for_each: stream`. Nothing is evaluated, and no environment variable is read.",
        f"a:\n  schedule: null\n  description: ${{HOME}}\n  {_TASK}",
        "Use a name of the list.",
        "dag",
    ),
    Code(
        "SL604",
        "Repeated twice",
        "Both a DAG and a group in it say `for_each: stream`.",
        "a_${stream.name}:\n  for_each: stream\n  schedule: null\n  task_groups:\n    g_${stream.name}:\n      for_each: stream\n      tasks: {one: {operator: silver}}",
        "Leave out one of the two.",
        "dag",
    ),
    Code(
        "SL605",
        "A step without a stream",
        "The operator works on one stream, and here is none.",
        "a:\n  schedule: null\n  tasks: {one: {operator: silver}}",
        "Put the task into a DAG or group with `for_each: stream`.",
        "dag",
    ),
    Code(
        "SL606",
        "An argument the operator does not take",
        "The argument belongs to another operator.",
        "a_${stream.name}:\n  for_each: stream\n  schedule: null\n  tasks: {one: {operator: silver, until: '2026-01-01'}}",
        "Remove it, or use the operator that is named.",
        "dag",
    ),
    Code(
        "SL607",
        "Not a schedule",
        "A schedule is a cron text of five fields in UTC, null for runs by hand, or `{assets: [realtime]}` for a run when data "
        "have landed.",
        f"a:\n  schedule: hourly\n  {_TASK}",
        "Write it as `0 2 * * *`.",
        "dag",
    ),
    Code(
        "SL608",
        "A default its own type does not allow",
        "The default of a parameter is not of the parameter's type, or not in its enum; Airflow would refuse each run.",
        f"a:\n  schedule: null\n  params: {{until: {{default: null, type: string}}}}\n  {_TASK}",
        'Change the default, or add `"null"` to the types.',
        "dag",
    ),
    Code(
        "SL609",
        "A task and a group of one name",
        "Dependencies name tasks and groups alike, so the two cannot share a name.",
        "a:\n  schedule: null\n  tasks: {one: {operator: bootstrap}}\n  task_groups: {one: {tasks: {two: {operator: bootstrap}}}}",
        "Give the task another name.",
        "dag",
    ),
    Code(
        "SL610",
        "Waits for something unknown",
        "A dependency names no task or group of the DAG (or of the same group).",
        "a:\n  schedule: null\n  tasks: {one: {operator: bootstrap, dependencies: [two]}}",
        "Correct the name; the hint has the closest.",
        "dag",
    ),
    Code(
        "SL611",
        "Tasks in a ring",
        "Tasks wait for each other, so none could ever start.",
        "a:\n  schedule: null\n  tasks:\n    one: {operator: bootstrap, dependencies: [two]}\n    two: {operator: bootstrap, dependencies: [one]}",
        "Take one of the dependencies out.",
        "dag",
    ),
    Code(
        "SL612",
        "A DAG declared twice",
        "Two files declare a DAG of the same id.",
        "config/dags/a.yaml   nightly: {…}\nconfig/dags/b.yaml   nightly: {…}",
        "Choose another id for one of them.",
        "folder",
    ),
    Code(
        "SL613",
        "A DAG that would start itself",
        "The DAG is to run when an asset is updated that its own tasks update (`land` updates realtime, `silver` silver).",
        "a_${stream.name}:\n  for_each: stream\n  schedule: {assets: [realtime]}\n  tasks: {one: {operator: land}}",
        "Leave that asset out, or put the step that updates it into another DAG.",
        "dag",
    ),
)
