"""The sentences of stories in which somebody meets an animal: requests, openings, plots.

As in ``plots``; besides, {j} is what the user says of the animal ("talking ", or nothing), {x}
stands before it ("an old fox"), and ``[[a|b]]`` is one of several texts. {w} is never used: the
animal is the other one. Knows nothing of how a story is put together.
"""

TRAITS = (
    "", "", "talking ", "friendly ", "brave ", "little ", "clever ", "lost ", "small ", "funny ",
    "white ", "singing ", "sad ", "wise ", "hungry ", "magic ", "tiny ", "big ", "shy ", "sleepy ",
    "lonely ", "golden ", "dancing ", "young ", "proud ", "invisible ", "old ", "angry ",
)  # fmt: skip
"""What users say of the animal."""

_TOLD = (
    "[[tell|tell me|please tell|please tell me|can you tell me|could you tell|write|write me"
    "|make up|please write|can you write|can you make up|invent|please invent|give me|i'd like"
    "|i would like|i want|i need|i wish for|let me hear|let me have|how about|could i have"
    "|may i have|think of|come up with|compose|create|now]] a [[|short |little |short little "
    "|bedtime |funny |nice |new |sweet |small |goodnight |quick ]]"
    "[[story|story|story|tale|fairy tale]]"
)
"""How a story is asked for, up to what it is about."""

_ABOUT = (
    "about {n} and {x} {j}{a} [[in|near|at|from]] {p}",
    "[[in which|where|about how|of how]] {n} [[meets|helps|finds|sees|visits|saves|looks for"
    "|follows|makes friends with|loses|teaches|gets to know]] {x} {j}{a} [[in|near|at"
    "|not far from]] {p}",
    "[[about how|of how|telling how|about the day when]] {n} [[met|helped|found|saw|visited|saved"
    "|looked for|followed|made friends with|lost|taught|got to know]] {x} {j}{a} [[in|near|at]]"
    " {p}",
    "[[in which|where|about how]] {n} and {x} {j}{a} [[visit|go to|travel to|explore|get lost in"
    "|live in|play in|run away to|meet in|dance in|spend a night in]] {p}",
    "[[in which|where|about how]] {x} {j}{a} [[meets|helps|finds|sees|visits|saves|looks for"
    "|follows|scares|surprises]] {n} [[in|near|at]] {p}",
    "[[with|about|of|that has]] {n}, {x} {j}{a} and {p}",
    "[[with|from]] {n} and {x} {j}{a}[[, set| and set|, and it happens|. It takes place]] in {p}",
    "[[set in|that is set in|that happens in|that takes place in|from|out of]] {p} [[about|with]]"
    " {n} and {x} {j}{a}",
    "about {x} {j}{a} [[who|that]] [[helps|finds|meets|follows|saves|teaches|loves]] {n} [[in|at]]"
    " {p}",
    "about a [[child|girl|boy|man|woman|farmer|sailor|teacher]] [[called|named]] {n} and {x} {j}{a}"
    " [[in|near]] {p}",
    "about [[my friend|my child|my daughter|my son]] {n} and {x} {j}{a} in {p}",
    "about {n}, who [[meets|has|keeps|loves|finds|sees]] {x} {j}{a} [[in|near|at]] {p}",
    "about {n}'s [[adventure|day|trip|journey|holiday]] with {x} {j}{a} in {p}",
)
_WHOLE = (
    "What happened when {n} met {x} {j}{a} [[in|near|at]] {p}?",
    "{n} [[meets|finds|sees]] {x} {j}{a} [[in|near|at]] {p}. [[Write a story|Tell me the story|Tell"
    " it as a story|Make a story of it]].",
    "{n}, {x} {j}{a} and {p}: [[make a story of it|a short story, please|tell me a story]]!",
    "[[Story|Tale|Short story]]: {n} and {x} {j}{a} in {p}.",
    "My story needs {n}, {x} {j}{a} and {p}.",
    "[[In|Near]] {p}, {n} sees {x} {j}{a}. [[How does the story go on|What happens next|Go on]]?",
    "Write a [[story|tale]] for {n}. There should be {x} {j}{a} in it, and {p}.",
    "[[The hero is|It is about]] {n}, the animal is {x} {j}{a} and the place is {p}. Tell me the"
    " story.",
)
_THING = "[[something|something short|a few lines|some lines|a few sentences|a text|a bit]]"
_LOOSE = (
    "[[write|tell me|make up|invent|please write|can you write]] " + _THING + " {about}.",
    "[[write|tell|tell me|please tell me|now write]] {about}, [[as a story|as a short tale|as a"
    " bedtime story|like a fairy tale|in a short story|in a few lines|please|for my children]].",
    "[[story time|next story|bedtime|one more story|another one|story please|a story]][[!|:|.]]"
    " [[It is |]]{about}.",
    "[[My kid|My daughter|My son|My little brother|Somebody here|My class]] [[wants|needs|would"
    " like|wishes for|asks for]] [[a story|a short story|a fairy tale]] {about}.",
    "[[My story|The story|It]] [[should be|must be|is to be]] {about}. [[Go|Please write it|Tell"
    " it|Begin]]!",
)
_DEEDS = (
    "[[about |]]the [[time|day|night|summer|evening|morning]] [[when |that |]]{n} [[met|found|saved"
    "|saw|lost|fed|taught|followed]] {x} {j}{a} [[in|near|at|by|close to|outside]] {p}",
    "[[about |of ]]the [[day|night|week]] [[when |that |]]{n} and {x} {j}{a} [[became friends|got"
    " lost|went away|had a race|danced|had a quarrel|fell asleep|met]] [[in|near|at]] {p}",
    "[[about |]]how {n} and {x} {j}{a} [[became friends|got lost|lived|learned to fly|had a party"
    "|found a treasure|built a boat|saved a star]] [[in|near|at]] {p}",
    "about a [[boy|girl|child|king|queen|baker|painter|doctor]] [[called|named|by the name of]] {n}"
    " and [[his|her|the]] [[pet |friend, the |]]{j}{a}, [[they visit|they live in|they travel to"
    "|it happens in|set in|in]] {p}",
    "where {n} [[finds|loses|saves|meets|hides|feeds|chases|carries]] {x} {j}{a} [[in|near|by|at"
    "|outside|on the way to|far from]] {p}",
    "[[with|about]] {n} in it, and {x} {j}{a}, [[and it happens in|and the place is|all in|set in]]"
    " {p}",
    "about {n} and {x} {j}{a}. [[Make it happen in|It takes place in|Let it be set in|The place is"
    "|They are in]] {p}",
    "[[where|in which]] {n} [[has to|must|wants to|tries to]] [[save|find|help|catch|teach]] {x}"
    " {j}{a} [[in|near|from|at]] {p}",
    "about {n}. There is {x} {j}{a} in it, and {p}",
)
ASKING = (
    *(f"{_TOLD} {about}." for about in _ABOUT for _ in range(2)),
    *(f"{_TOLD} {deed}." for deed in _DEEDS),
    *(loose.replace("{about}", deed) for loose in _LOOSE for deed in _DEEDS),
    *_WHOLE,
)
ASKING_HELD = (
    "Please tell a story that contains {n}, {x} {j}{a} and {p}.",
    "Write about the time {n} and {x} {j}{a} were friends in {p}, as a short story.",
    "I would love a tale of {n} who rescues {x} {j}{a} in {p}.",
)

OPENINGS = (
    "Once upon a time there was a child called {n} who lived {i}.",
    "{n} lived {i} and loved to walk about all day.",
    "One fine morning {n} went for a walk {i}.",
    "One day {n} came to a place that was new: {p}.",
    "{n} had never been {i} before.",
    "It was a warm day {i}, and {n} had nothing to do.",
    "A long time ago, {n} lived in a little house {i}.",
    "{I} everybody knew {n}.",
    "This is the story of {n}, and it happened {i}.",
)

PLOTS = (
    (
        ("There {s} met {x} {j}{a} that had lost its way.",
         "Suddenly {x} {j}{a} stood there and looked about with big eyes.",
         "Behind a corner sat {x} {j}{a} and cried."),
        ('"What is the matter?" asked {n}. "I cannot find my home," said the {a}.',
         '"Can you help me?" asked the {a}. "I have lost my way," it said.'),
        ("So the two went from door to door and asked everybody.",
         "{n} took the {a} by the paw, and they looked behind every stone.",
         "They walked until the evening, and {n} told stories on the way."),
        ("At last they saw a light, and the {a} jumped for joy: it was home.",
         "When the moon rose they found the home of the {a}, and there was hot soup for both.",
         "Then somebody called from afar, and it was the mother of the {a}."),
    ),
    (
        ("On a wall sat {x} {j}{a} with {y} {t}.",
         "There came {x} {j}{a} that carried {y} {t}.",
         "By the road {n} saw {x} {j}{a} with {y} {t} on its head."),
        ('"Good day," said the {a}. "Would you like to play?"',
         '{n} could not believe it when the {a} began to speak. "Hello!" it said.'),
        ("They played with the {t} until it flew over a high wall.",
         "They threw the {t} up and down, and then it fell into the water.",
         "{n} laughed so much that {s} fell over the {t}."),
        ("{n} climbed after it, the {a} held {o} by the foot, and they had it back.",
         "The {a} was sad, but {n} found a long stick and brought it back.",
         '"Never mind," said the {a}. "A friend is better than any {t}."'),
    ),
    (
        ("There {x} {j}{a} was caught under a heavy branch.",
         "Then {n} heard a cry. {X} {j}{a} had fallen into a deep hole.",
         "There {x} {j}{a} was stuck between two stones."),
        ("{n} did not think long and ran to help.",
         '"Hold still!" cried {n} and looked for a rope.'),
        ("{s} pulled and pushed with all {h} might.",
         "It took a long time, and the sun went down.",
         "The rope broke twice, but {n} did not give up."),
        ("At last the {a} was free and danced round and round.",
         "When it was done, the {a} licked {h} hand and would not leave {o} any more.",
         '"Thank you," said the {a}. "One day I will help you, too."'),
    ),
    (
        ("One night {x} {j}{a} knocked at the window.",
         "In the evening {x} {j}{a} sat in front of the door.",
         "When it grew dark, {n} heard steps, and there stood {x} {j}{a}."),
        ('"It is so cold out here," it said. "May I come in?"',
         "Outside, the wind was howling, and the {a} shivered.",
         '"I have not eaten for three days," said the {a}.'),
        ("{n} made a fire and cooked a big pot of soup.",
         "{n} gave it {h} own bed and slept on the floor.",
         "{n} shared {h} last piece of bread with it."),
        ("In the morning the {a} showed {o} where the sweetest berries grew.",
         "From then on the {a} came every evening, and neither of them was lonely.",
         "The next day the {a} brought {o} {y} {t} as a present."),
    ),
    (
        ("There lived {x} {j}{a} that everybody was afraid of.",
         "People said that {x} {j}{a} lived there and was very wild.",
         '"Do not go there," the others said. "{X} {j}{a} will get you!"'),
        ("But {n} was curious and went to see.",
         "{n} took a lamp and {y} {t} and set out all alone."),
        ("And what did {s} find? The {a} was only lonely and wanted to play.",
         "The {a} was much more afraid than {n}, and hid behind a tree.",
         "The {a} sat there and sang a sad song about having no friends."),
        ("{n} took it to the others, and soon nobody was afraid any more.",
         "They drank tea, and the {a} told {o} all its secrets.",
         "From that day the children came to ride on the back of the {a}."),
    ),
    (
        ("There {s} met {x} {j}{a} that knew the way to a treasure.",
         "{X} {j}{a} came running and said that it had found an old map.",
         "An old map lay on the ground, and beside it slept {x} {j}{a}."),
        ('"Let us look for it together," said {n}.',
         '"I am too small to dig," said the {a}, "but you have strong arms."'),
        ("They dug all day, first here, then there.",
         "They went up the hill and down again, and looked under every root.",
         "On the way {n} carried the {a} over a cold stream."),
        ("They found nothing but {y} {t}, but they had never laughed so much.",
         "In the end there was a box, and in it lay {y} {t} and a letter: well done!",
         '"I think that the treasure is you," said the {a}, and {n} smiled.'),
    ),
    (
        ("There {x} {j}{a} was practising a dance and fell on its nose.",
         "{X} {j}{a} was sitting there and tried to sing, but it sounded terrible.",
         "There {n} saw {x} {j}{a} that wanted to learn how to read."),
        ('"Will you laugh at me?" asked the {a}. "No," said {n}, "I will help you."',
         "{n} sat down beside it and showed it how to begin."),
        ("They practised every day, in sun and rain.",
         "It was not easy, but the {a} never gave up."),
        ("On the day of the big party everybody clapped for the {a}.",
         "After a month the {a} could do it better than {n}.",
         "In the end they went on stage together, and the whole place cheered."),
    ),
    (
        ("{n} wanted to fly, and {x} {j}{a} heard of it.",
         "{n} had built a boat, and {x} {j}{a} wanted to come along.",
         '"I want to see the world," said {n}. "So do I," said {x} {j}{a}.'),
        ("They packed bread, apples and {y} {t}.",
         "The {a} brought {y} {t}, and {n} brought a blanket."),
        ("They saw mountains and cities, and slept under the stars.",
         "A storm came up, but they held each other fast.",
         "At night they lay awake and counted the stars."),
        ("When they came home, they had stories for a whole winter.",
         '"Wherever you are, it is home," said the {a}.',
         "The next spring the two set out again."),
    ),
)  # fmt: skip

ENDINGS = (
    "Since that day {n} and the {a} have been the best of friends. The end.",
    "And so {n} fell asleep with a smile. The end.",
    "In {p} they still tell the story of {n} and the {a}. The end.",
    "And {n} and the {a} lived happily ever after. The end.",
    "That evening {n} and the {a} looked at the stars together. The end.",
    "And if you ever come to {p}, say hello to {n} and the {a}. The end.",
    "It was the best day that {n} had ever had. The end.",
    "And the {a} never forgot {n}. The end.",
)
