"""What users tell about themselves, and the wordings of telling, asking, correcting, answering.

A clause has no capital and no stop, so that it can stand anywhere in a sentence. In a wording,
{v} is the value, {k} which one (the kind of the pet, the relation), {o} a value that is no longer
true. Knows nothing of when something is said.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from engine.training.corpus import names, words
from engine.training.corpus.exchange import held_out


@dataclass(frozen=True, slots=True)
class Wordings:
    """Ways to say one thing: those for training, and those that only the test knows."""

    train: tuple[str, ...]
    held: tuple[str, ...] = ()

    def pick(self, rng: random.Random, held: bool = False) -> str:
        """Return one of them."""
        return rng.choice(self.held if held and self.held else self.train)


@dataclass(frozen=True, slots=True)
class FactKind:
    """One kind of fact. clauses: telling; questions: asked directly; what: "what my name is".

    said: how the assistant says it (the first is the usual one); greetings: an answer when it is
    told; corrections: only for what was told before; missing: what was never told; checks: yes or
    no questions. value and which draw what is told (held-out values with True).
    """

    clauses: Wordings
    questions: Wordings
    what: Wordings
    said: tuple[str, ...]
    greetings: tuple[str, ...]
    corrections: Wordings
    missing: tuple[str, ...]
    checks: Wordings
    value: Callable[[random.Random, bool], str]
    which: Callable[[random.Random], str]


def _number(rng: random.Random, held: bool) -> str:
    while True:
        number = rng.randint(1, rng.choice((9, 99, 99, 999)))
        if held_out("number", number) == held:
            return str(number)


def _one_of(listed: tuple[str, ...]) -> Callable[[random.Random, bool], str]:
    return lambda rng, held: rng.choice(listed)


def _colour(rng: random.Random, held: bool) -> str:
    shade = rng.choice(("dark ", "light ", "bright ")) if rng.random() < 0.12 else ""
    return shade + rng.choice(words.COLOURS)


def _only(rng: random.Random) -> str:
    return ""


def _pet_kind(rng: random.Random) -> str:
    return rng.choice(("cat", "dog")) if rng.random() < 0.5 else rng.choice(words.PET_KINDS)


def _relation(rng: random.Random) -> str:
    if rng.random() < 0.45:
        return rng.choice(("friend", "best friend"))
    return rng.choice(words.RELATIONS)


_NAME = FactKind(
    clauses=Wordings(
        (
            "my name is {v}", "my name is {v}", "my name's {v}", "I'm {v}", "I am {v}",
            "I'm called {v}", "I am called {v}", "you can call me {v}", "call me {v}",
            "please call me {v}", "people call me {v}", "everybody calls me {v}",
            "my friends call me {v}", "{v} is my name", "the name is {v}", "my first name is {v}",
            "I go by {v}", "my parents named me {v}", "I was given the name {v}", "this is {v}",
            "it's me, {v}", "they call me {v}",
        ),
        ("most people call me {v}", "the name's {v}", "I am known as {v}"),
    ),
    questions=Wordings(
        (
            "what is my name", "what is my name", "what's my name", "whats my name",
            "what am I called", "who am I", "how am I called", "what was my name",
            "what was my name again", "what did I say my name was", "which name did I give you",
            "what do people call me", "what do my friends call me", "how do you call me",
            "what name did I tell you", "my name is what", "can you say my name",
            "could you call me by my name", "what should you call me", "and my name",
        ),
        ("so what is my name again", "what was the name I told you", "how should you call me"),
    ),
    what=Wordings(
        ("my name", "my name", "what my name is", "what I am called", "who I am",
         "what I'm called", "the name I told you", "how I am called"),
        ("what my name was", "the name I gave you"),
    ),
    said=("your name is {v}", "your name is {v}", "your name is {v}", "you are {v}",
          "you are called {v}"),
    greetings=(
        "Nice to meet you, {v}.", "Nice to meet you, {v}!", "Hello, {v}!", "Hi, {v}!",
        "Pleased to meet you, {v}.", "Welcome, {v}!", "Hello, {v}. Good to have you here.",
        "Good to meet you, {v}.", "{v} is a nice name.", "What a nice name! Hello, {v}.",
        "Thank you, {v}. I will remember your name.", "Glad to meet you, {v}.",
    ),
    corrections=Wordings(
        (
            "I changed my name to {v}", "please call me {v} from now on", "my name is {v}, not {o}",
            "I spelled my name wrong, it is {v}", "my name is not {o} but {v}",
            "my name isn't {o}, it's {v}", "I am not {o}, I am {v}", "call me {v} instead of {o}",
            "my new name is {v}", "I would rather be called {v}", "I go by {v} now",
            "from now on my name is {v}",
        ),
        ("it's {v}, not {o}, that is my name", "I'd rather go by the name {v} now"),
    ),
    missing=("your name", "your name", "what you are called"),
    checks=Wordings(
        ("is my name {v}", "am I called {v}", "am I {v}", "is it right that my name is {v}",
         "my name is {v}, right", "do people call me {v}", "did I say my name is {v}"),
        ("is {v} my name",),
    ),
    value=names.person,
    which=_only,
)  # fmt: skip

_CITY = FactKind(
    clauses=Wordings(
        (
            "I live in {v}", "I live in {v}", "I'm from {v}", "I am from {v}", "my home is in {v}",
            "my city is {v}", "I'm living in {v}", "I come from {v}", "my home town is {v}",
            "the city I live in is {v}", "my house is in {v}", "my flat is in {v}", "home is {v}",
            "I have a small house in {v}", "we live in {v}", "I am at home in {v}",
            "my family and I live in {v}", "I grew up and still live in {v}", "{v} is my home",
            "I've been living in {v} for years", "{v} is where I live", "I live in a city, {v}",
        ),
        ("the place where I live is {v}", "my home is a city called {v}", "{v} is my home town"),
    ),
    questions=Wordings(
        (
            "where do I live", "where do I live", "where do I live again", "what city do I live in",
            "which city do I live in", "where am I from", "what is my city", "where is my home",
            "what's my home town", "where's my house", "where am I at home",
            "in which city do I live",
            "what is the name of my city", "where did I say I live", "what city am I from",
            "which city is my home", "what was my city", "where do I come from", "and my city",
            "where is the place I live",
        ),
        ("what is the city that I live in", "where was it that I live", "what city is my home in"),
    ),
    what=Wordings(
        ("where I live", "where I live", "my city", "which city I live in", "where my home is",
         "what city I live in", "the city where I live", "where I am from"),
        ("the name of my city", "in which city I live"),
    ),
    said=("you live in {v}", "you live in {v}", "you live in {v}", "your home is in {v}"),
    greetings=(
        "{v} sounds lovely.", "I have heard of {v}. It must be nice there.", "Ah, {v}!",
        "{v}, I see. I will remember that.", "How nice to live in {v}!", "Greetings to {v}!",
        "So {v} is your home. Good to know.", "{v} must be a good place to live.",
    ),
    corrections=Wordings(
        (
            "I moved to {v}", "I have moved to {v}", "I live in {v} now", "I just moved to {v}",
            "we moved to {v}", "I moved from {o} to {v}", "I don't live in {o}, I live in {v}",
            "I live in {v}, not in {o}", "I do not live in {o} any more, I live in {v}",
            "my new home is {v}", "I left {o}, my home is now in {v}", "I now live in {v}",
            "my city is {v}, not {o}",
        ),
        ("I've just moved house, to {v}", "it is {v} that I live in, not {o}"),
    ),
    missing=("where you live", "where you live", "your city"),
    checks=Wordings(
        ("do I live in {v}", "is {v} my home", "am I from {v}", "is my city {v}",
         "I live in {v}, right", "is it {v} where I live", "did I say I live in {v}"),
        ("is it right that I live in {v}",),
    ),
    value=names.city,
    which=_only,
)  # fmt: skip

_COLOUR = FactKind(
    clauses=Wordings(
        (
            "my favourite colour is {v}", "my favourite colour is {v}", "my favorite color is {v}",
            "I like {v} best of all colours", "the colour I like best is {v}",
            "I love the colour {v}",
            "{v} is my favourite colour", "my best-loved colour is {v}", "my favorite color's {v}",
            "of all colours I like {v} most", "the colour that I love is {v}", "my colour is {v}",
            "{v} is the colour I like most", "I think {v} is the best colour",
            "the best colour for me is {v}", "no colour is nicer to me than {v}",
            "I am a fan of the colour {v}", "my favourite color is {v}",
        ),
        ("the colour I love most is {v}", "my favourite of all colours is {v}"),
    ),
    questions=Wordings(
        (
            "what is my favourite colour", "what is my favourite colour",
            "what's my favorite color",
            "which colour do I like best", "what colour do I like", "what colour do I love",
            "which colour is my favourite", "whats my favourite colour",
            "what color do I like best",
            "what was my favourite colour", "what is the colour I like most", "and my colour",
            "which color did I say I like", "what did I say my favourite colour was",
            "my favourite colour is what", "what colour is my favourite",
            "what is my favorite color", "which colour do I like most",
        ),
        ("what is the colour that I like best", "so which colour is my favourite one"),
    ),
    what=Wordings(
        ("my favourite colour", "my favorite color", "what my favourite colour is",
         "which colour I like best", "what colour I like", "the colour I like most"),
        ("which colour is my favourite", "the colour that I like best"),
    ),
    said=("your favourite colour is {v}", "your favourite colour is {v}",
          "your favourite colour is {v}", "you like {v} best"),
    greetings=(
        "{V} is a lovely colour.", "A good choice, {v} is beautiful.", "I like {v} too.",
        "{V}, how nice!", "{V}! That is a fine colour.", "{V} it is.",
    ),
    corrections=Wordings(
        (
            "my favourite colour is {v} now", "I like {v} better than {o} now",
            "my favourite colour has changed to {v}", "my favourite colour is {v}, not {o}",
            "my new favourite colour is {v}", "I don't like {o} any more, I like {v} best",
            "now I like {v} best of all colours", "my favorite color isn't {o}, it's {v}",
            "I changed my mind, my favourite colour is {v}", "make my favourite colour {v}",
        ),
        ("these days my favourite colour is {v}", "not {o}, {v} is my favourite colour"),
    ),
    missing=("your favourite colour", "which colour you like best"),
    checks=Wordings(
        ("is my favourite colour {v}", "do I like {v} best", "is {v} my favourite colour",
         "my favourite colour is {v}, right", "is it {v} that I like best",
         "did I say my favorite color is {v}"),
        ("is {v} the colour I like best",),
    ),
    value=_colour,
    which=_only,
)  # fmt: skip

_NUMBER = FactKind(
    clauses=Wordings(
        (
            "my lucky number is {v}", "my lucky number is {v}", "{v} is my lucky number",
            "the number {v} brings me luck", "my favourite number is {v}", "my number is {v}",
            "my lucky number's {v}", "I have a lucky number, it is {v}", "my special number is {v}",
            "my lucky number has always been {v}", "the number that brings me luck is {v}",
            "I always choose the number {v}, it is lucky for me", "my favorite number is {v}",
            "I believe in my lucky number {v}", "as a lucky number I have {v}",
            "the number I like best is {v}", "{v} is the number that I like most",
        ),
        ("the lucky number that I have is {v}", "for luck I always take the number {v}"),
    ),
    questions=Wordings(
        (
            "what is my lucky number", "what is my lucky number", "what's my lucky number",
            "whats my lucky number", "which number is my lucky number", "what is my number",
            "which number brings me luck", "what was my lucky number", "what's my favourite number",
            "what number did I tell you", "which number do I like", "and my lucky number",
            "what number brings me luck", "what did I say my lucky number was",
            "my lucky number is what", "which number is lucky for me", "what is my favorite number",
        ),
        ("which lucky number did I tell you", "what is that lucky number of mine"),
    ),
    what=Wordings(
        ("my lucky number", "my lucky number", "my number", "what my lucky number is",
         "which number brings me luck", "the number I told you", "my favourite number"),
        ("which number is my lucky one", "the lucky number I have"),
    ),
    said=("your lucky number is {v}", "your lucky number is {v}", "your lucky number is {v}",
          "the number {v} brings you luck"),
    greetings=(
        "{v}, I will remember that.", "May {v} bring you luck!", "{v} is a good number.",
        "Let us hope that {v} is lucky.", "A fine number, {v}.", "{v} it is.",
    ),
    corrections=Wordings(
        (
            "my lucky number is {v} now", "my lucky number is {v}, not {o}",
            "my new lucky number is {v}", "my lucky number has changed to {v}",
            "my lucky number isn't {o}, it's {v}", "I have a new lucky number, {v}",
            "{o} was wrong, my lucky number is {v}", "please change my lucky number to {v}",
            "now {v} is my lucky number", "I changed my mind, my lucky number is {v}",
        ),
        ("it's {v} and not {o}, my lucky number", "these days my lucky number is {v}"),
    ),
    missing=("your lucky number", "what your lucky number is"),
    checks=Wordings(
        ("is my lucky number {v}", "is {v} my lucky number", "is {v} my number",
         "my lucky number is {v}, right", "does the number {v} bring me luck",
         "did I say my lucky number is {v}"),
        ("is {v} the number that brings me luck",),
    ),
    value=_number,
    which=_only,
)  # fmt: skip

_PET = FactKind(
    clauses=Wordings(
        (
            "I have a {k} called {v}", "I have a {k} called {v}", "I have a {k} named {v}",
            "my {k} is called {v}", "my {k} is called {v}", "my {k}'s name is {v}",
            "my {k} is named {v}", "the name of my {k} is {v}", "I've got a {k}, {v}",
            "I have a {k}, its name is {v}", "I live with my {k} {v}", "{v} is my {k}",
            "I own a {k} called {v}", "my pet is a {k} called {v}", "I got a {k} and call it {v}",
            "we have a {k} and its name is {v}", "at home I have a {k} called {v}",
            "I share my home with a {k} named {v}", "my {k} {v} is with me",
            "my little {k} is called {v}", "there is a {k} in my home, {v}",
        ),
        ("I keep a {k} whose name is {v}", "my dear {k} has the name {v}"),
    ),
    questions=Wordings(
        (
            "what is my {k} called", "what is my {k} called", "what's my {k} called",
            "what is my {k}'s name", "what's my {k}'s name", "whats the name of my {k}",
            "what is the name of my {k}", "how is my {k} called", "what do I call my {k}",
            "what was my {k} called", "what was the name of my {k}", "who is my {k}",
            "what name does my {k} have", "which name did I give my {k}", "and my {k}",
            "what did I say my {k} is called", "my {k} is called what", "what's my {k} named",
        ),
        ("by what name do I call my {k}", "so what is my {k} called again"),
    ),
    what=Wordings(
        ("my {k}'s name", "what my {k} is called", "what my {k} is called", "the name of my {k}",
         "what my {k}'s name is", "how my {k} is called", "what I call my {k}"),
        ("which name my {k} has", "the name I gave my {k}"),
    ),
    said=("your {k} is called {v}", "your {k} is called {v}", "your {k} is called {v}",
          "your {k}'s name is {v}", "the name of your {k} is {v}"),
    greetings=(
        "Hello to {v}!", "{v} is a nice name for a {k}.", "A {k} called {v}, how lovely!",
        "I would like to meet {v}.", "Give {v} my greetings!", "{v} must be a good {k}.",
        "How nice, a {k}! I will remember {v}.", "What a lovely name, {v}!",
    ),
    corrections=Wordings(
        (
            "my {k} is called {v}, not {o}", "my {k}'s name is {v} now", "I call my {k} {v} now",
            "I renamed my {k}, its name is {v} now", "my {k} is not called {o} but {v}",
            "I gave my {k} a new name, {v}", "we call the {k} {v} now instead of {o}",
            "my {k}'s name isn't {o}, it's {v}", "the {k} is called {v}, I got that wrong",
            "I mixed that up, my {k} is called {v}", "my {k} has a new name, {v}",
        ),
        ("the name of my {k} is {v} and not {o}", "from now on my {k} is called {v}"),
    ),
    missing=("about a {k}", "about a {k}", "what your {k} is called", "the name of your {k}"),
    checks=Wordings(
        ("is my {k} called {v}", "is my {k}'s name {v}", "is {v} my {k}", "is {v} my {k}'s name",
         "my {k} is called {v}, right", "do I call my {k} {v}", "did I say my {k} is called {v}"),
        ("is the name of my {k} {v}",),
    ),
    value=names.pet,
    which=_pet_kind,
)  # fmt: skip

_JOB = FactKind(
    clauses=Wordings(
        (
            "I'm {a} {v}", "I am {a} {v}", "I work as {a} {v}", "my job is {v}",
            "by trade I am {a} {v}",
            "I earn my money as {a} {v}", "I am working as {a} {v}", "for a living I am {a} {v}",
            "my profession is {v}", "I have a job as {a} {v}", "I've been {a} {v} for years",
            "I became {a} {v}", "I make my living as {a} {v}", "at work I am {a} {v}",
            "they pay me as {a} {v}",
        ),
        ("my work is that of {a} {v}",),
    ),
    questions=Wordings(
        (
            "what is my job", "what's my job", "what do I do for a living", "what do I work as",
            "what is my profession", "what kind of work do I do", "whats my job",
            "what am I by trade",
            "what was my job", "what did I say my job was", "which job do I have", "and my job",
            "how do I earn my money", "what do I do for work",
        ),
        ("what is it that I do for a living",),
    ),
    what=Wordings(
        ("my job", "what my job is", "what I do for a living", "what I work as", "my profession"),
        ("which job I have",),
    ),
    said=("you are {a} {v}", "you are {a} {v}", "you work as {a} {v}"),
    greetings=(
        "{A} {v}, that sounds interesting.", "That is a fine job.", "{A} {v}! I admire that.",
        "The world needs every good {v}.", "I am sure that you are a good {v}.",
    ),
    corrections=Wordings(
        (
            "I have a new job, I am {a} {v} now", "I work as {a} {v} now",
            "I am {a} {v}, not {b} {o}",
            "I changed my job, I'm {a} {v} now", "I am no longer {b} {o} but {a} {v}",
            "I became {a} {v}", "my new job is {v}", "I gave up my job and became {a} {v}",
        ),
        ("these days I work as {a} {v}",),
    ),
    missing=("what your job is", "your job"),
    checks=Wordings(
        ("am I {a} {v}", "do I work as {a} {v}", "is my job {v}", "I am {a} {v}, right"),
        ("is it right that I am {a} {v}",),
    ),
    value=_one_of(words.JOBS),
    which=_only,
)  # fmt: skip

_FOOD = FactKind(
    clauses=Wordings(
        (
            "my favourite food is {v}", "I love to eat {v}", "I love {v}",
            "I like {v} best of all food",
            "my favorite food is {v}", "the food I like best is {v}", "{v} is my favourite food",
            "I could eat {v} every day", "my favourite dish is {v}",
            "nothing tastes better than {v}",
            "what I like to eat most is {v}", "my favourite meal is {v}",
            "I eat {v} whenever I can",
            "the best food in the world is {v}", "for dinner I like {v} best",
        ),
        ("of all food I like {v} most",),
    ),
    questions=Wordings(
        (
            "what is my favourite food", "what's my favorite food", "what do I like to eat",
            "which food do I like best", "what food do I love", "what do I love to eat",
            "whats my favourite food", "what was my favourite food", "what is my favourite dish",
            "what do I eat most gladly", "what is my favourite meal", "and my favourite food",
            "which dish do I like", "what did I say my favourite food was",
        ),
        ("which food is my favourite",),
    ),
    what=Wordings(
        ("my favourite food", "what I like to eat", "which food I like best",
         "what my favourite food is", "my favorite food"),
        ("what food I like most",),
    ),
    said=("your favourite food is {v}", "your favourite food is {v}", "you like to eat {v}"),
    greetings=(
        "That sounds tasty.", "{V}, delicious!", "Now I wish that I could eat {v}.",
        "Enjoy your {v}!", "A good choice. I have never tasted {v}.",
    ),
    corrections=Wordings(
        (
            "my favourite food is {v} now", "I like {v} better than {o} now",
            "my favourite food is {v}, not {o}", "my new favourite food is {v}",
            "I don't like {o} any more, my favourite food is {v}", "now I like to eat {v} best",
            "I changed my mind, my favourite food is {v}", "these days I love to eat {v}",
        ),
        ("not {o}, {v} is my favourite food",),
    ),
    missing=("your favourite food", "what you like to eat"),
    checks=Wordings(
        ("is my favourite food {v}", "do I like to eat {v}", "is {v} my favourite food",
         "my favourite food is {v}, right"),
        ("did I say I like {v} best",),
    ),
    value=_one_of(words.FOODS),
    which=_only,
)  # fmt: skip

_HOBBY = FactKind(
    clauses=Wordings(
        (
            "my hobby is {v}", "my favourite hobby is {v}", "in my free time I like {v}",
            "I enjoy {v}",
            "my hobby's {v}", "{v} is my hobby", "I spend my free time with {v}", "I'm fond of {v}",
            "I have one hobby, {v}", "what I do for fun is {v}", "my great hobby is {v}",
            "at weekends I like {v}", "as a hobby I like {v}", "after work I like {v}",
            "my favourite pastime is {v}",
        ),
        ("the hobby I have is {v}",),
    ),
    questions=Wordings(
        (
            "what is my hobby", "what's my hobby", "what do I do in my free time",
            "what do I do for fun", "which hobby do I have", "whats my hobby",
            "what hobby do I have",
            "what was my hobby", "what do I enjoy in my free time", "what did I say my hobby was",
            "what is my favourite hobby", "and my hobby", "how do I spend my free time",
        ),
        ("which hobby did I tell you",),
    ),
    what=Wordings(
        ("my hobby", "what my hobby is", "what I do in my free time", "which hobby I have",
         "what I do for fun"),
        ("how I spend my free time",),
    ),
    said=("your hobby is {v}", "your hobby is {v}", "you like {v} in your free time"),
    greetings=(
        "{V} sounds like fun.", "{V}, how nice!", "That is a lovely hobby.",
        "Have fun with it!", "I wish that I could try {v}.",
    ),
    corrections=Wordings(
        (
            "my hobby is {v} now", "my new hobby is {v}", "my hobby is {v}, not {o}",
            "I gave up {o}, my hobby is {v} now", "I changed my hobby to {v}",
            "I stopped {o}, now my hobby is {v}", "my hobby isn't {o}, it's {v}",
            "I have a new hobby, {v}",
        ),
        ("these days my hobby is {v}",),
    ),
    missing=("your hobby", "what your hobby is"),
    checks=Wordings(
        ("is my hobby {v}", "is {v} my hobby", "do I like {v} in my free time",
         "my hobby is {v}, right"),
        ("did I say my hobby is {v}",),
    ),
    value=_one_of(words.HOBBIES),
    which=_only,
)  # fmt: skip

_RELATION = FactKind(
    clauses=Wordings(
        (
            "my {k} is called {v}", "my {k}'s name is {v}", "my {k} is named {v}",
            "the name of my {k} is {v}", "I have a {k} called {v}", "{v} is my {k}",
            "I've got a {k}, {v}", "I have a {k} named {v}", "my {k} has the name {v}",
            "my {k}, {v}, says hello", "my {k} {v} is a kind person", "everybody calls my {k} {v}",
            "the first name of my {k} is {v}", "my {k} goes by {v}", "we call my {k} {v}",
        ),
        ("I have a {k} whose name is {v}",),
    ),
    questions=Wordings(
        (
            "what is my {k} called", "what is my {k}'s name", "what's my {k}'s name",
            "what is the name of my {k}", "who is my {k}", "how is my {k} called",
            "whats my {k} called", "what was the name of my {k}", "what do people call my {k}",
            "what did I say my {k} is called", "and my {k}", "what's my {k} called",
            "which name does my {k} have",
        ),
        ("by what name do we call my {k}",),
    ),
    what=Wordings(
        ("my {k}'s name", "what my {k} is called", "the name of my {k}", "who my {k} is",
         "how my {k} is called"),
        ("which name my {k} has",),
    ),
    said=("your {k}'s name is {v}", "your {k} is called {v}", "your {k} is called {v}"),
    greetings=(
        "Greetings to {v}!", "{v} is a nice name.", "Say hello to {v} from me.",
        "How nice to have a {k} like {v}.", "I will remember {v}.",
    ),
    corrections=Wordings(
        (
            "my {k} is called {v}, not {o}", "my {k}'s name is {v}, not {o}",
            "the name of my {k} is {v}, I made a mistake", "my {k} is not called {o} but {v}",
            "my {k}'s name isn't {o}, it's {v}", "I got the name of my {k} wrong, it is {v}",
            "my {k} goes by {v} now", "my {k} changed names and is called {v} now",
        ),
        ("the name of my {k} is {v} and not {o}",),
    ),
    missing=("your {k}'s name", "the name of your {k}", "what your {k} is called"),
    checks=Wordings(
        ("is my {k} called {v}", "is my {k}'s name {v}", "is {v} my {k}",
         "my {k} is called {v}, right"),
        ("is the name of my {k} {v}",),
    ),
    value=names.person,
    which=_relation,
)  # fmt: skip


def kinds() -> dict[str, FactKind]:
    """Return every kind by its name, in the order in which facts are listed."""
    return {
        "name": _NAME,
        "city": _CITY,
        "pet": _PET,
        "colour": _COLOUR,
        "number": _NUMBER,
        "job": _JOB,
        "food": _FOOD,
        "hobby": _HOBBY,
        "relation": _RELATION,
    }
