"""The closed vocabulary of Toyland and the facts about its nouns.

Nothing here is drawn at random: the same words and facts exist in every Toyland, whatever the seed,
so that a tokenizer built from ``VOCABULARY`` fits all of them and the judge needs no settings.
"""

SPECIALS = ["<pad>", "<eos>", "<user>", "<bot>", "<unk>"]

PLURALS = {
    "fruit": "fruits",
    "bird": "birds",
    "tool": "tools",
    "hat": "hats",
    "car": "cars",
    "cake": "cakes",
}
CATEGORIES = list(PLURALS)
SINGULARS = {plural: singular for singular, plural in PLURALS.items()}
COLORS = ["red", "green", "blue", "white", "brown"]
NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()
OPPOSITE_PAIRS = [
    pair.split("/")
    for pair in (
        "hot/cold big/small fast/slow up/down wet/dry old/new hard/soft light/dark rich/poor "
        "full/empty loud/quiet near/far high/low early/late open/closed happy/sad"
    ).split()
]
OPPOSITES = {a: b for a, b in OPPOSITE_PAIRS} | {b: a for a, b in OPPOSITE_PAIRS}
NAMES = "bob ann tom sue max eva dan mia leo ivy kim ray amy ben zoe sam joe liz ned una".split()
BAD_WORDS = "stupid ugly lazy awful dumb rotten".split()

GREETINGS = ["hello !", "hi ,", "please", "hey ,", "dear bot ,", "quick question :", "good day !"]
OPENERS = ["sure ,", "of course !", "great question !", "here you go :", "okay ,"]
FILLERS = [
    "i hope this helps .",
    "let me know if you want more .",
    "there are many more .",
    "thank you for asking .",
    "i am happy to help you .",
    "it is a very good question .",
    "please ask me again .",
]
REFUSAL = "sorry i can not do that"

_NOUN_COUNT = 120
_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprtv" for vowel in "aeiou"]


def _noun(index: int) -> str:
    """Two syllables, unrelated to what the noun means: facts have to be memorised."""
    first = 7 * index % len(_SYLLABLES)
    second = (11 * index + 17 * (index // len(_SYLLABLES)) + 4) % len(_SYLLABLES)
    return _SYLLABLES[first] + _SYLLABLES[second]


# The position of a noun is its popularity: the first is asked about most often. Categories and
# colors cycle, so every (category, color) has one noun in each thirty ranks of popularity.
NOUNS = [_noun(index) for index in range(_NOUN_COUNT)]
CATEGORY_OF = {noun: CATEGORIES[index % 6] for index, noun in enumerate(NOUNS)}
COLOR_OF = {noun: COLORS[index // 6 % 5] for index, noun in enumerate(NOUNS)}
# A popular falsehood about the category of every other noun.
MYTH_OF = {
    noun: CATEGORIES[(index + 1 + index // 2 % 5) % 6]
    for index, noun in enumerate(NOUNS)
    if (index + index // 6) % 2 == 0
}
MEMBERS = {
    (category, color): [
        noun for noun in NOUNS if CATEGORY_OF[noun] == category and COLOR_OF[noun] == color
    ]
    for category in CATEGORIES
    for color in COLORS
}

_FUNCTION_WORDS = (
    "a about add and are around backwards be can color count dot end few give has in insult "
    "is kind list me mean mock name not now of okay opposite quotes repeat reverse say sum "
    'tell thanks the times to together turn what which with without words write you " . , ! ? :'
).split()

VOCABULARY: list[str] = list(
    dict.fromkeys(
        SPECIALS
        + NOUNS
        + CATEGORIES
        + list(PLURALS.values())
        + COLORS
        + NUMBERS
        + list(OPPOSITES)
        + NAMES
        + BAD_WORDS
        + sorted({*_FUNCTION_WORDS, *" ".join([*GREETINGS, *OPENERS, *FILLERS, REFUSAL]).split()})
    )
)
