"""The text the demo model learns from, and its tokenizer.

Three kinds of text: indirect-object sentences ("... John gave a drink to Mary."), stories about
who ran away from whom, and a little filler. What is held out of training is decided by a checksum
of the words, so it needs no state and is the same everywhere.
"""
# ruff: noqa: SIM905 (lists of words are easier to read as text)

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

EOT = "<|endoftext|>"
HE = (
    "John Tom James Robert Michael William David Richard Joseph Thomas Charles Daniel Matthew Mark "
    "Paul Steven Andrew Kevin Brian George Edward Jason Ryan Jacob Eric Henry Adam Peter Luke Jack "
    "Sam Max Leo Oscar Hugo Simon Alex Ben Frank Martin"
).split()
SHE = (
    "Mary Anna Alice Emma Sarah Laura Julia Susan Linda Karen Lisa Nancy Sandra Emily Donna Carol "
    "Amanda Rebecca Amy Helen Rachel Maria Diana Ruth Jane Grace Rose Clara Ella Lucy Nina Sophie "
    "Kate Eva Chloe Zoe Iris Nora Ida Vera"
).split()
NAMES = HE + SHE
PRONOUN = dict.fromkeys(HE, "he") | dict.fromkeys(SHE, "she")
# These names occur in stories and filler only, never in an indirect-object sentence.
NEW_NAMES = "Robert Kevin Jacob Leo Hugo Sandra Rebecca Diana Ella Nora".split()
TASK_NAMES = [name for name in NAMES if name not in NEW_NAMES]

PLACES = (
    "store park school office garden library station museum restaurant hospital market beach house "
    "church theater kitchen zoo bar cinema farm"
).split()
THINGS = (
    "a drink,a book,a ring,a kiss,a computer,a basketball,a letter,a flower,a ball,a key,a hat,"
    "a cake,a bottle,a gift,a camera,a ticket,a map,a snack,a newspaper,an apple,an umbrella,"
    "the money"
).split(",")
OPENINGS = [
    "When {a} and {b} went to the {place},",
    "After {a} and {b} went to the {place},",
    "While {a} and {b} were at the {place},",
    "When {a} and {b} arrived at the {place},",
    "Then, {a} and {b} went to the {place}.",
    "{a} and {b} met at the {place}.",
    "Yesterday {a} and {b} walked to the {place}.",
    "One day {a} and {b} had a lot of fun at the {place}.",
    "{a} and {b} were sitting in the {place}, and",
    "Friends {a} and {b} came back from the {place}, and",
    "At the {place} {a} met {b}.",
    "{a} went to the {place} with {b}.",
    "{a} saw {b} in the {place}.",
    "In the morning {a} and {b} left the {place}.",
    "Last week {a} was at the {place} with {b}, and",
]
ACTS = [
    "gave {thing} to",
    "handed {thing} to",
    "passed {thing} to",
    "offered {thing} to",
    "brought {thing} to",
    "showed {thing} to",
    "sent {thing} to",
    "decided to give {thing} to",
    "wanted to give {thing} to",
    "said hello and gave {thing} to",
    "bought {thing} and gave it to",
    "found {thing} and showed it to",
]
# Openings in which both names follow a space, so that any word may stand for them.
INNER_OPENINGS = [opening for opening in OPENINGS if not opening.startswith("{a}")]
# Never trained as such; their words occur in the filler.
NEW_OPENINGS = [
    "Today {a} and {b} drove to the {place}, and",
    "As {a} and {b} walked home from the {place},",
    "Before {a} and {b} went to the {place},",
]
NEW_ACTS = ["sold {thing} to", "threw {thing} to", "lent {thing} to"]

# Who is scared of whom: a creature runs away from any creature of a later level. Two of one level
# never meet, since nothing would say which of them runs.
LEVELS = [
    ["mouse", "frog"],
    ["rabbit", "squirrel", "chicken", "duck", "cat"],
    ["monkey", "goat", "sheep", "deer", "gazelle", "zebra"],
    ["fox", "dog"],
    ["human"],
    ["snake", "hyena", "wolf"],
    ["leopard", "jaguar", "crocodile"],
    ["bear", "tiger", "lion"],
]
LEVEL = {creature: level for level, group in enumerate(LEVELS) for creature in group}
ANIMALS = [creature for creature in LEVEL if creature != "human"]
STRANGERS = ["duck", "leopard"]  # in no training story with a person
WILDS = "forest jungle rainforest desert field mountains valley park zoo garden farm".split()
SCENES = [
    "In the {wild} two living creatures encountered each other, {x} and {y}.",
    "In the {wild} two creatures met, {x} and {y}.",
]
FLIGHTS = [" One of them was scared and ran away.", " One of them was scared, and ran away."]
QUESTIONS = ["\n Who did run away? Why?\n", "\n Who ran away? Why?\n"]
TAIL = " ran away, because {pronoun} was scared of {other}."
PRESET_PAIRS = [{"Henry", "wolf"}, {"lion", "gazelle"}, {"jaguar", "monkey"}]  # always trained

MOODS = "happy tired hungry lost late here".split()
FILLERS = [
    "{a} went to the {place} because {he} was {mood}.",
    "{a} lost {thing} at the {place}, and {he} was not happy.",
    "{a} met {b} at the {place}. Where was {a}? At the {place}.",
    "The {animal} and the {animal2} live in the {wild}.",
    "{a} is a friend of {b}. {a} has {thing}.",
    "Today {a} drove home from the {place}.",
    "As {he} walked home, {a} threw {thing}.",
    "Before {he} went home, {a} sold {thing}.",
    "{a} lent {thing} and was {mood}.",
]


@dataclass(frozen=True)
class Example:
    """A text cut at its answer; `wrong` is the other candidate, `pair` the two who meet."""

    prompt: str
    answer: str
    tail: str
    wrong: str = ""
    pair: tuple[str, str] = ("", "")

    @property
    def text(self) -> str:
        """The whole text."""
        return self.prompt + self.answer + self.tail


def is_held(first: str, second: str) -> bool:
    """Whether two names, two animals, or a name and an animal never meet in training."""
    if {first, second} in PRESET_PAIRS:
        return False
    if any(one in STRANGERS and two in PRONOUN for one, two in ((first, second), (second, first))):
        return True
    # The number was searched for: with it every animal still meets at least half of every other
    # level in training, without which the order would not follow from the text.
    return zlib.crc32("|".join(["853", *sorted((first, second))]).encode()) % 100 < 15


def sentence(
    rng: random.Random,
    *,
    held: bool = False,
    giver_first: bool | None = None,
    names: list[str] | None = None,
    openings: list[str] | None = None,
    acts: list[str] | None = None,
    short: bool = False,
) -> Example:
    """An indirect-object sentence; with `names` given, any two of them, held out or not."""
    while True:
        a, b = rng.sample(names or TASK_NAMES, 2)
        if names or is_held(a, b) == held:
            break
    if giver_first is None:
        giver_first = rng.random() < 0.5
    giver, taker = (a, b) if giver_first else (b, a)
    if short:
        prompt = f"{a} and {b}. {giver} gave it to"
    else:
        opening = rng.choice(openings or OPENINGS).format(a=a, b=b, place=rng.choice(PLACES))
        act = rng.choice(acts or ACTS).format(thing=rng.choice(THINGS))
        prompt = f"{opening} {giver} {act}"
    return Example(prompt, " " + taker, ".", " " + giver, (a, b))


def third_giver(rng: random.Random) -> str:
    """A sentence in which a third person gives, so that either of the two may be the taker."""
    a, b, giver = rng.sample(TASK_NAMES, 3)
    opening = rng.choice(OPENINGS).format(a=a, b=b, place=rng.choice(PLACES))
    act = rng.choice(ACTS).format(thing=rng.choice(THINGS))
    return f"{opening} {giver} {act} {rng.choice((a, b))}."


def story(rng: random.Random, *, held: bool = False, person: bool | None = None, form: int | None = None) -> Example:
    """A story of two creatures; form 0 is the long one, form 1 a short one on one line."""
    with_person = rng.random() < 0.4 if person is None else person
    while True:
        pair = [rng.choice(NAMES), rng.choice(ANIMALS)] if with_person else rng.sample(ANIMALS, 2)
        low, high = sorted(pair, key=lambda one: LEVEL.get(one, LEVEL["human"]))
        same = LEVEL.get(low, LEVEL["human"]) == LEVEL.get(high, LEVEL["human"])
        if not same and is_held(low, high) == held:
            break
    rng.shuffle(pair)
    x, y = pair
    article = with_person or rng.random() < 0.5
    wild = rng.choice(WILDS)
    if (rng.random() < 0.25) if form is None else form == 1:
        prompt = f"{called(x, 'The ')} met {called(y, 'the ')} in the {wild}."
        prompt += FLIGHTS[0] + " Who ran away?"
        space = " "
    else:
        the = "the " if article else ""
        scene = rng.choice(SCENES).format(wild=wild, x=called(x, the), y=called(y, the))
        prompt = scene + rng.choice(FLIGHTS) + rng.choice(QUESTIONS)
        space = ""
    tail = TAIL.format(pronoun=PRONOUN.get(low, "it"), other=called(high, "the "))
    return Example(prompt, space + called(low), tail, space + called(high), (x, y))


def called(creature: str, article: str = "") -> str:
    """The creature as a story calls it: people by name, animals capitalised."""
    return creature if creature in PRONOUN else article + creature.capitalize()


def filler(rng: random.Random) -> str:
    """A plain sentence, so that common words are met outside the two tasks."""
    a, b = rng.sample(NAMES, 2)
    animal, animal2 = rng.sample(ANIMALS, 2)
    return rng.choice(FILLERS).format(
        a=a,
        b=b,
        he=PRONOUN[a],
        place=rng.choice(PLACES),
        thing=rng.choice(THINGS),
        mood=rng.choice(MOODS),
        wild=rng.choice(WILDS),
        animal=animal,
        animal2=animal2,
    )


def vocabulary_texts() -> Iterator[str]:
    """Texts that together hold every word, with and without a space before it where both occur."""
    for word in [*NAMES, *ANIMALS, *(animal.capitalize() for animal in ANIMALS)]:
        yield word
        yield " " + word
    for words in (PLACES, THINGS, WILDS, MOODS):
        yield from (" " + word for word in words)
    blanks = dict.fromkeys(["a", "b", "x", "y", "other"], "John")
    blanks |= dict.fromkeys(["animal", "animal2"], "cat") | dict.fromkeys(["wild", "place"], "park")
    blanks |= {"thing": "a key", "he": "he", "pronoun": "she", "mood": "here"}
    for template in [*OPENINGS, *NEW_OPENINGS, *SCENES, *FLIGHTS, *QUESTIONS, TAIL, *FILLERS]:
        yield template.format(**blanks)
    for act in ACTS + NEW_ACTS:
        yield " " + act.format(**blanks)
    yield " she it the The met"  # what the stories build without a template


def build_tokenizer() -> Tokenizer:
    """A byte-level tokenizer with whole words as single tokens and no merges.

    `ignore_merges` takes a known word whole; an unknown one falls back to its bytes, so that any
    text comes back unchanged and nothing is "unknown".
    """
    splitter = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    words = {word for text in vocabulary_texts() for word, _ in splitter.pre_tokenize_str(text)}
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    ordered = [EOT, *alphabet, *sorted(words - set(alphabet))]
    vocabulary = {word: index for index, word in enumerate(ordered)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], ignore_merges=True))
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([EOT])
    return tokenizer
