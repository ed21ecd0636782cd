"""Words that every skill may use: animals, colours, foods, jobs, things, adjectives, verbs.

Lower case, British spelling. Knows nothing of sentences.
"""


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a list that is written as a text."""
    return tuple(text.split())


ANIMALS = words_of(
    """
    ant badger bat bear beaver bee beetle bird bison bug bull butterfly calf camel canary cat
    caterpillar chicken cow crab cricket crocodile crow deer dog dolphin donkey dragon dragonfly
    duck eagle elephant falcon ferret fish flamingo fly fox frog gecko giraffe goat goldfish
    goose gorilla grasshopper hamster hare hawk hedgehog hen heron hippo horse jellyfish
    kangaroo kitten koala ladybird lamb leopard lion lizard llama lobster magpie mole monkey
    moose mouse newt octopus ostrich otter owl panda parrot peacock pelican penguin pig pigeon
    pony puppy rabbit raccoon rat raven reindeer rhino robin rooster salmon seagull seal shark
    sheep shrimp sloth snail snake sparrow spider squid squirrel stork swallow swan tiger toad
    tortoise turkey turtle walrus wasp weasel whale wolf wombat woodpecker worm yak zebra
    """
)

PET_KINDS = words_of(
    """
    cat dog hamster rabbit parrot goldfish turtle pony horse mouse rat ferret canary lizard
    snake hedgehog tortoise kitten puppy duck goat hen gecko frog
    """
)

COLOURS = words_of(
    """
    red blue green yellow orange purple pink brown black white grey turquoise violet silver gold
    beige navy maroon lilac teal crimson indigo olive lavender
    """
)

FOODS = (
    *words_of(
        """
    pizza pasta soup bread cheese rice salad sushi curry chocolate pancakes apples bananas
    cherries strawberries potatoes tomatoes carrots noodles fish beans eggs dumplings porridge
    honey cake waffles spinach mushrooms lasagne tacos grapes pears yoghurt burgers falafel
    pumpkin olives nuts
    """
    ),
    "ice cream",
    "fried rice",
    "apple pie",
    "roast chicken",
    "tomato soup",
)

JOBS = words_of(
    """
    teacher nurse doctor baker farmer gardener painter writer singer pilot cook driver lawyer
    dentist carpenter plumber electrician librarian student scientist engineer programmer
    musician dancer actor waiter tailor butcher fisherman firefighter photographer architect
    mechanic journalist biologist chemist translator shepherd sailor postman
    """
)

HOBBIES = (
    *words_of(
        """
    swimming reading painting cooking running climbing hiking fishing sailing dancing singing
    skating skiing knitting gardening cycling drawing baking chess football tennis photography
    sewing surfing yoga juggling rowing camping pottery
    """
    ),
    "playing the piano",
    "playing the guitar",
    "collecting stamps",
    "watching birds",
    "riding horses",
)

THINGS = words_of(
    """
    apple arrow bag ball balloon banana basket bath bed bell belt bench bicycle blanket boat
    book boot bottle bowl box branch brick bridge broom brush bucket bus button cake camera
    candle cap car card carpet carrot castle chain chair cheese cherry clock cloud coat coin
    comb cookie cup curtain desk diamond dish door dress drum egg engine envelope feather fence
    finger fire flag flower fork garden gate glass glove grape grass guitar hammer hand hat
    heart hill house ice island jacket jar jewel juice jug kettle key kite knife ladder lake
    lamp leaf lemon letter lock log map mask match meadow medal melon milk mirror money moon
    mountain mug nail napkin necklace needle nest net newspaper notebook nut onion orange oven
    page paint paper path pear pearl pen pencil piano picture pie pillow pin plane plant plate
    plum pocket pond pot potato present puzzle radio rain rainbow ribbon ring river road rock
    roof room root rope rose ruler sack sail salt sand scarf school scissors seed shell shelf
    ship shirt shoe shovel skirt sky sled snow soap sock sofa spoon spring stairs stamp star
    stick stone storm story stove street sugar suitcase sun swing table tent thread ticket tie
    tomato tool torch towel tower town toy train tree trumpet umbrella vase village violin wagon
    wall watch water wheel whistle wind window wire wood wool yard
    """
)

ADJECTIVES = words_of(
    """
    angry big bitter blue brave bright broken busy calm careful cheap cheerful clean clear
    clever cold cool curious dark deep dirty dry dusty early easy empty fair famous fast fat
    fine flat free fresh friendly full funny gentle glad golden good great green grey happy hard
    heavy helpful high honest hot huge hungry kind large late lazy light little lonely long loud
    lovely low lucky narrow neat new nice noisy odd old patient pink plain polite poor pretty
    proud purple quick quiet rare red rich ripe rough round rude sad safe salty sharp short shy
    silent silly silver simple slow small smart smooth soft sour square strange strong sunny
    sweet tall tame thick thin tidy tiny tired ugly warm weak wet white wide wild wise wooden
    yellow young
    """
)

VERBS = words_of(
    """
    bakes breaks brings builds buys calls carries catches chases cleans climbs closes cooks
    counts cuts draws drinks drives drops eats feeds finds fixes follows forgets gives hears
    helps hides hits holds keeps kicks knows leaves lifts likes loses loves makes meets misses
    moves needs opens paints picks plays pulls pushes reads rides sees sells sends shows sings
    smells takes teaches throws touches tries visits wants washes watches wears writes
    """
)
"""In the third person, with a thing as their object."""

ADVERBS = words_of(
    """
    again alone always badly calmly carefully early gladly happily here indoors late loudly
    never nicely now often outside politely proudly quickly quietly sadly slowly softly
    sometimes soon today together tomorrow twice upstairs well
    """
)

RELATIONS = words_of(
    """
    sister brother mother father aunt uncle cousin grandmother grandfather daughter son
    neighbour teacher boss doctor colleague
    """
)

SHORT = words_of(
    """
    add age ago air arm ask bad bat bay bee big bit boy bug can cap cat cow cry cut day dog dot
    dry ear eat egg end eye fan far fit fly fog fox fun gas get gum hat hen hit hot hug ice ink
    jam jar job joy key kid leg let lid lip log lot low mad man map mat mix mud net new nut oak
    odd oil old one out owl own pan pen pet pie pig pin pot put ran rat raw red rib rid rob row
    rug run sad saw sea see set shy sip sit six sky son sun tax tea ten tie tin tip toe top toy
    try tub two use van war way web wet win yes zoo
    """
)


def article(word: str) -> str:
    """Return "a" or "an", as it is said before a word."""
    return "an" if word[:1].lower() in "aeiou" else "a"
