"""Small World: a generator of short English stories, reading questions and reviews with known answers.

The text exists to train and to test tiny language models whose layers are then dropped, so every item carries its gold
answer. A passage belongs to the test side when its hash says so, and to the training side otherwise: no passage is in both.

    small_world.py train --seed 1 --items 100000 > train.txt      one document a line (newlines as \\n in JSON strings)
    small_world.py train --seed 99 --items 300 --plain > calibration.txt      as they are, with <|endoftext|> between them
    small_world.py test  --seed 9 --items 500 --dir out/          qa.jsonl, sentiment.jsonl, stories.txt

qa.jsonl and sentiment.jsonl hold {"context", "choices", "gold"}: a continuation is " " + choice.
"""
import argparse
import hashlib
import json
import os
import random
import sys

END = "\n<|endoftext|>\n"
NAMES = ("Anna Ben Clara David Emma Finn Grace Henry Iris Jack Kate Leo Mia Noah Olga Paul Rosa Sam Tina Victor "
         "Wendy Zoe Adam Bella Carl Dora").split()
PLACES = "kitchen garden attic bathroom cellar garage library barn school market forest beach office bedroom".split()
THINGS = "ball book apple lamp key hat cup kite drum coin rope spoon doll basket map candle".split()
COLOURS = "red blue green yellow white black brown pink".split()
MATERIALS = "wooden paper glass metal stone plastic".split()
ANIMALS = "dog cat horse rabbit duck mouse goat parrot".split()
WEATHER = ["It was a warm day.", "Rain was falling.", "The wind was cold.", "The sun was out.", "It was early.",
           "It was almost night.", "Snow lay on the ground.", "The sky was grey."]
GO = ["went to", "walked to", "ran to", "moved to", "travelled to", "hurried to"]
TAKE = ["took", "picked up", "grabbed", "got"]
PUT = ["put down", "dropped", "left"]
GIVE = ["gave", "handed", "passed"]

SUBJECTS = {
    "food": ["soup", "bread", "cake", "coffee", "salad", "fish", "tea", "pasta"],
    "people": ["waiter", "driver", "teacher", "doctor", "guide", "clerk", "cook", "singer"],
    "things": ["room", "film", "book", "song", "hotel", "story", "phone", "chair", "play", "bus"],
}
GOOD = {
    "food": "delicious fresh tasty warm wonderful rich perfect lovely".split(),
    "people": "kind friendly helpful polite patient charming clever gentle".split(),
    "things": "great beautiful wonderful bright clever charming excellent delightful".split(),
}
BAD = {
    "food": "cold stale bitter awful burnt bland sour terrible".split(),
    "people": "rude slow careless angry unkind lazy boring nasty".split(),
    "things": "bad ugly terrible dull broken boring dirty awful".split(),
}
GOOD_END = ["I will come back.", "We loved it.", "I would tell every friend.", "It made my day.", "I was very happy.",
            "Worth every coin."]
BAD_END = ["I will never come back.", "We hated it.", "I want my money back.", "It spoiled my day.", "I was very sad.",
           "A waste of time."]


class World:
    """Who is where, and who holds what, while a story is told."""

    def __init__(self, rng, names=NAMES):
        self.rng = rng
        self.people = rng.sample(names, rng.randint(2, 3))
        self.places = rng.sample(PLACES, rng.randint(3, 5))
        self.at = {}
        self.holder = {}       # thing -> person
        self.lies = {}         # thing -> place
        self.things = rng.sample(THINGS, rng.randint(1, 3))
        self.look = {t: (rng.choice(COLOURS), rng.choice(MATERIALS)) for t in self.things}
        self.gave = None
        self.lines = []

    def tell(self, text):
        self.lines.append(text)

    def start(self):
        if self.rng.random() < 0.3:
            self.tell(self.rng.choice(WEATHER))
        for person in self.people:
            self.go(person)
        for thing in self.things:
            if self.rng.random() < 0.6:
                colour, material = self.look[thing]
                if self.rng.random() < 0.5:
                    self.tell(f"The {thing} was {colour}.")
                    self.look[thing] = (colour, None)
                else:
                    self.tell(f"The {thing} was made of {material}." if material != "wooden" else f"The {thing} was wooden.")
                    self.look[thing] = (None, material)
            else:
                self.look[thing] = (None, None)

    def go(self, person):
        options = [p for p in self.places if p != self.at.get(person)]
        place = self.rng.choice(options)
        self.at[person] = place
        self.tell(f"{person} {self.rng.choice(GO)} the {place}.")

    def take(self):
        free = [t for t in self.things if t not in self.holder]
        if not free:
            return
        thing = self.rng.choice(free)
        near = [p for p in self.people if self.lies.get(thing) in (None, self.at[p])]
        if not near:
            return
        person = self.rng.choice(near)
        self.holder[thing] = person
        self.lies.pop(thing, None)
        self.tell(f"{person} {self.rng.choice(TAKE)} the {thing}.")

    def put(self):
        if not self.holder:
            return
        thing = self.rng.choice(sorted(self.holder))
        person = self.holder.pop(thing)
        self.lies[thing] = self.at[person]
        self.tell(f"{person} {self.rng.choice(PUT)} the {thing}.")

    def give(self):
        pairs = [(t, p, q) for t, p in sorted(self.holder.items()) for q in self.people if q != p and self.at[q] == self.at[p]]
        if not pairs:
            return
        thing, giver, taker = self.rng.choice(pairs)
        self.holder[thing] = taker
        self.gave = (thing, giver, taker)
        self.tell(f"{giver} {self.rng.choice(GIVE)} the {thing} to {taker}.")

    def run(self, steps):
        self.start()
        for _ in range(steps):
            move = self.rng.random()
            if move < 0.42:
                self.go(self.rng.choice(self.people))
            elif move < 0.72:
                self.take()
            elif move < 0.86:
                self.put()
            else:
                self.give()
        return " ".join(self.lines)

    def where(self, thing):
        if thing in self.holder:
            return self.at[self.holder[thing]]
        return self.lies.get(thing)

    def questions(self):
        """Every (kind, question, answer, wrong answers) that the story settles."""
        rng, out = self.rng, []
        for person in self.people:
            out.append(("where-person", f"Where is {person}?", self.at[person], [p for p in self.places if p != self.at[person]]))
        for thing in self.things:
            place = self.where(thing)
            if place:
                out.append(("where-thing", f"Where is the {thing}?", place, [p for p in self.places if p != place]))
            if thing in self.holder:
                who = self.holder[thing]
                out.append(("who-has", f"Who has the {thing}?", who, [p for p in self.people if p != who]))
            colour, material = self.look[thing]
            if colour:
                out.append(("colour", f"What colour is the {thing}?", colour, [c for c in COLOURS if c != colour]))
            if material:
                out.append(("material", f"What is the {thing} made of?", "wood" if material == "wooden" else material,
                            ["wood" if m == "wooden" else m for m in MATERIALS if m != material]))
        person, place = rng.choice(self.people), rng.choice(self.places)
        truth = "yes" if self.at[person] == place else "no"
        out.append(("yes-no", f"Is {person} in the {place}?", truth, ["no" if truth == "yes" else "yes"]))
        person = rng.choice(self.people)
        held = sum(1 for holder in self.holder.values() if holder == person)
        numbers = ["none", "one", "two", "three"]
        out.append(("count", f"How many things does {person} hold?", numbers[held], [n for n in numbers if n != numbers[held]]))
        if self.gave:
            thing, giver, taker = self.gave
            out.append(("who-gave", f"Who gave the {thing} away?", giver, [p for p in self.people if p != giver]))
        return out


def review(rng):
    """A short review and its sentiment, with plain, contrasted, negated and hedged sentences."""
    good = rng.random() < 0.5
    lines = []
    for _ in range(rng.randint(1, 3)):
        kind = rng.choice(sorted(SUBJECTS))
        subject = rng.choice(SUBJECTS[kind])
        same, other = (GOOD, BAD) if good else (BAD, GOOD)
        word, contrary = rng.choice(same[kind]), rng.choice(other[kind])
        form = rng.randrange(7)
        if form == 0:
            lines.append(f"The {subject} was {word}.")
        elif form == 1:
            lines.append(f"The {subject} was {word} and {rng.choice(same[kind])}.")
        elif form == 2:
            lines.append(f"I expected the {subject} to be {contrary}, but it was {word}." if kind != "people"
                         else f"I expected the {subject} to be {contrary}, but they were {word}.")
        elif form == 3:
            lines.append(f"The {subject} was not {contrary} at all.")
        elif form == 4:
            lines.append(f"What a {word} {subject}!")
        elif form == 5:
            lines.append(f"The {subject} was {contrary} at first, but {word} in the end.")
        else:
            lines.append(f"Never have I seen such a {word} {subject}.")
    if rng.random() < 0.5:
        lines.append(rng.choice(GOOD_END if good else BAD_END))
    return " ".join(lines), "positive" if good else "negative"


def qa_context(passage, question):
    return f"{passage}\nQuestion: {question}\nAnswer:"


SENTIMENT_QUESTION = "Is this sentence positive or negative?"


def for_test(passage):
    return hashlib.sha256(passage.encode()).digest()[0] % 8 == 0


def draw(rng, make, test):
    """Draw until the passage, the first thing make returns, is on the wanted side of the split."""
    while True:
        drawn = make(rng)
        if for_test(drawn[0]) == test:
            return drawn


def story(rng):
    world = World(rng)
    return world.run(rng.randint(4, 14)), world


def train_document(rng):
    if rng.random() < 0.35:
        text, label = draw(rng, review, test=False)
        return f"{qa_context(text, SENTIMENT_QUESTION)} {label}"
    passage, world = draw(rng, story, test=False)
    if rng.random() < 0.1:
        return passage
    asked = world.questions()
    rng.shuffle(asked)
    return passage + "".join(f"\nQuestion: {q}\nAnswer: {a}" for _, q, a, _ in asked[:rng.randint(1, 5)])


def test_sets(seed, items):
    rng = random.Random(f"small-world-test-{seed}")
    qa, kinds = [], {}
    while len(qa) < items:
        passage, world = draw(rng, story, test=True)
        kind, question, answer, wrong = rng.choice(world.questions())
        if kinds.get(kind, 0) > items / 6:
            continue
        kinds[kind] = kinds.get(kind, 0) + 1
        wrong = rng.sample(wrong, min(3, len(wrong)))
        choices = wrong + [answer]
        rng.shuffle(choices)
        qa.append({"kind": kind, "context": qa_context(passage, question), "choices": choices, "gold": choices.index(answer)})
    sentiment, seen = [], set()
    while len(sentiment) < items:
        text, label = draw(rng, review, test=True)
        if text in seen:
            continue
        seen.add(text)
        sentiment.append({"context": qa_context(text, SENTIMENT_QUESTION), "choices": ["negative", "positive"],
                          "gold": int(label == "positive")})
    stories = [draw(rng, story, test=True)[0] for _ in range(items)]
    return qa, sentiment, stories


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("split", choices=["train", "test"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--dir", default=".")
    parser.add_argument("--plain", action="store_true")
    args = parser.parse_args()
    if args.split == "train":
        rng = random.Random(f"small-world-train-{args.seed}")
        documents = [train_document(rng) for _ in range(args.items)]
        sys.stdout.write(END.join(documents) + "\n" if args.plain else "".join(json.dumps(document) + "\n" for document in documents))
        return
    qa, sentiment, stories = test_sets(args.seed, args.items)
    os.makedirs(args.dir, exist_ok=True)
    for name, rows in (("qa", qa), ("sentiment", sentiment)):
        with open(os.path.join(args.dir, f"{name}.jsonl"), "w") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    with open(os.path.join(args.dir, "stories.txt"), "w") as file:
        file.write(END.join(stories) + "\n")


if __name__ == "__main__":
    main()
