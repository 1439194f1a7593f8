"""Build the API pages from the docstrings: ``make docs``, or ``python .docs/build.py --out build/docs``.

The library and the serving side are documented as their packages export them; of the pipelines, what Python code calls.
Ends with exit code 1, and the sentences, if pdoc warns of anything.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# A package stands for what its __init__ exports; deeper modules are named where they are the public name.
MODULES = {
    "The Keras library": (
        *("intentrec_tf.schema", "intentrec_tf.data_spec", "intentrec_tf.vocabulary", "intentrec_tf.inputs"),
        *("intentrec_tf.records", "intentrec_tf.layers", "intentrec_tf.models", "intentrec_tf.models.parts"),
        *("intentrec_tf.retrieval", "intentrec_tf.ranking", "intentrec_tf.losses", "intentrec_tf.metrics"),
        *("intentrec_tf.optimizers", "intentrec_tf.calibration", "intentrec_tf.top_items", "intentrec_tf.export"),
    ),
    "Serving: for callers": (
        *("serving.client", "serving.client.prometheus_metrics", "serving.histories", "serving.user_client"),
        *("serving.candidates", "serving.index_retriever", "serving.web.app"),
    ),
    "Serving: for operators": ("serving.local", "serving.release.release"),
    "Pipelines": (
        *("pipelines.datasets.base", "pipelines.datasets.registry", "pipelines.validate", "pipelines.config"),
        *("pipelines.prepare", "pipelines.prepared", "pipelines.input_fn", "pipelines.look.look", "pipelines.train"),
        *("pipelines.tune", "pipelines.run_folder", "pipelines.evaluate", "pipelines.two_stage", "pipelines.calibrate"),
        *("pipelines.export", "pipelines.item_index", "pipelines.embed.embed", "pipelines.drift.drift"),
        *("pipelines.abtest.abtest", "pipelines.catalogue", "pipelines.model_server"),
    ),
}
# Packages that export a function named as its module, which pdoc would document twice.
ALONE = ("intentrec_tf.losses", "pipelines.export", "serving.candidates", "serving.local")
# What the docstrings write in one line, pdoc leaves inside the paragraph before it.
LEADS = re.compile(r"^(Call arguments|Returns|Source): +(?=\S)", re.MULTILINE)
# tensorflow.python.framework.tensor.Tensor, in pdoc's HTML, is tf.Tensor.
PRIVATE_PATH = re.compile(
    r'<span class="n">tensorflow</span>(?:<span class="o">\.</span><span class="n">\w+</span>)*'
    r'(?P<name><span class="o">\.</span><span class="n">\w+</span>)'
)
OURS = ("intentrec_tf", "pipelines", "serving")


def is_ours(doc: Any) -> bool:
    """Whether a function's docstring is of this project; one that overrides Keras's without words inherits Keras's."""
    name = getattr(doc.obj, "__name__", doc.name)
    owner = sys.modules[doc.modulename]
    for part in doc.qualname.split(".")[:-1]:
        owner = getattr(owner, part)
    for base in getattr(owner, "__mro__", ()):
        if getattr(vars(base).get(name), "__doc__", None):
            return base.__module__.split(".")[0] in OURS
    return True


def build(out: Path) -> list[str]:
    """Write the pages into the folder ``out``.

    Returns:
        What pdoc and the imports warned of.
    """
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import pdoc
    import pdoc.render_helpers
    from jinja2 import pass_context
    from markupsafe import Markup

    import intentrec_tf

    def format_signature(signature, colon: bool) -> str:
        html = pdoc.render_helpers.format_signature(signature, colon)
        return Markup(PRIVATE_PATH.sub(r'<span class="n">tf</span>\g<name>', str(html)))

    @pass_context
    def to_markdown(context, docstring: str) -> str:
        return pdoc.render_helpers.to_markdown_with_context(context, LEADS.sub(r"\n**\1:** ", docstring))

    pdoc.render.configure(
        docformat="google",
        show_source=False,
        template_directory=Path(__file__).parent,
        footer_text=f"intentrec_tf {intentrec_tf.__version__}",
    )
    pdoc.render.env.filters["to_markdown"] = to_markdown
    pdoc.render.env.filters["format_signature"] = format_signature
    pdoc.render.env.globals.update(groups=MODULES, is_ours=is_ours)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")  # what TensorFlow and its like warn of at import
        warnings.filterwarnings("always", module=r"pdoc\b")
        # the extra 'spark' is not part of 'dev'; pdoc asks the wrong module for a NamedTuple's types
        warnings.filterwarnings("ignore", message=r".*(SparkEngine|pyspark|ForwardRef)")
        names = [name for group in MODULES.values() for name in group]
        pdoc.pdoc(*names, *(f"!{re.escape(name)}\\..+" for name in ALONE), output_directory=out)
    return [str(warning.message) for warning in caught]


def main() -> int:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(description="Build the API pages.")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "docs")
    out = parser.parse_args().out
    found = build(out)
    print("\n".join([*found, f"written: {out / 'index.html'}"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
