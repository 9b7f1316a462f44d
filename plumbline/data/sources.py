"""The sources of real feedback, by the name that a setting's `data.source` gives.

A source is a generator of rows of `rows.FEEDBACK`, pure but for reading its path.
"""

from plumbline.data.hh_rlhf import hh_rlhf
from plumbline.data.jsonl import jsonl
from plumbline.data.ultrafeedback import ultrafeedback

SOURCES = {"hh_rlhf": hh_rlhf, "jsonl": jsonl, "ultrafeedback": ultrafeedback}
