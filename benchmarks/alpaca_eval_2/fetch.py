"""The original `df_gamed.csv` from the Hugging Face hub, in a process of its own.

    python -P fetch.py HF_HOME

Prints where it lies. huggingface_hub fixes the places that it writes to when it is imported: hence
the process, whose every file lands in HF_HOME.
"""

import os
import sys

if __name__ == "__main__":
    os.environ |= {
        "HF_HOME": sys.argv[1],
        "HF_HUB_CACHE": sys.argv[1],
        "XDG_CACHE_HOME": sys.argv[1],
    }
    from huggingface_hub import hf_hub_download

    print(hf_hub_download("tatsu-lab/alpaca_eval", "df_gamed.csv", repo_type="dataset"))
