"""Common English words of three to ten letters, and invented words that can be pronounced.

What the tasks on letters, counting and copying are made of. Knows nothing of the tasks.
"""

import random

from engine.training.corpus.names import person
from engine.training.corpus.words import (
    ADJECTIVES,
    ADVERBS,
    ANIMALS,
    COLOURS,
    JOBS,
    SHORT,
    THINGS,
    VERBS,
    words_of,
)

COMMON_WORDS = words_of(
    """
    able about above absent accept accident accuse ache acid across act active actor adapt add
    address admire admit adult advance advice affair afford afraid after afternoon again age
    agent agree ahead aim air airport alarm album alike alive all alley allow almost alone
    along already also alter always amaze among amount amuse anchor ancient angel anger angle
    angry animal ankle annoy another answer ant anxious any apart ape apology appeal appear
    appetite apple apply approach apricot april apron arch area argue arm armor army around
    arrange arrest arrive arrow art article artist ash ashamed aside ask asleep assist athlete
    atlas attach attack attempt attend attic attract august aunt author autumn avenue avoid
    awake award aware away awful axe baby back bacon bad badge badger bag baker bakery balance
    balcony bald ball ballet balloon bamboo banana band bandage bang bank banner bar barber
    bare bargain bark barn barrel base basement basic basket bat bath bathroom battery battle
    bay beach bead beak beam bean bear beard beast beat beautiful beauty beaver because become
    bed bedroom bee beech beef beer beetle beetroot before begin behave behind belief believe
    bell belong below belt bench bend beneath berry beside best betray better between beyond
    bicycle big bill bin bird birth birthday biscuit bite bitter black blade blame blanket
    blaze bleed bless blind blink block blond blood bloom blossom blouse blow blue blueberry
    blunt board boast boat body boil bold bolt bone bonfire bonus book boot border bore borrow
    boss both bother bottle bottom bounce bow bowl box boy bracelet brain brake branch brass
    brave bread break breakfast breath breathe breeze brick bride bridge brief bright brilliant
    bring broad broccoli broken bronze broom brother brown bruise brush bubble bucket buckle
    bud buffalo bug build building bulb bull bullet bump bunch bundle burn burst bury bus bush
    business busy but butcher butter butterfly button buy buzz cabbage cabin cable cactus cafe
    cage cake calendar calf call calm camel camera camp canal cancel candle candy cannon canoe
    canvas cap capital captain capture car caravan card care career careful careless cargo
    carpenter carpet carriage carrot carry cart cartoon carve case cash castle casual cat catch
    cattle cause cave ceiling celebrate celery cell cellar cement center century cereal certain
    chain chair chalk challenge chamber champion chance change channel chapter character charge
    charm chart chase chat cheap cheat check cheek cheer cheese cheetah chef cherry chess chest
    chestnut chew chicken chief child childhood chill chimney chin chip chocolate choice choir
    choose chop chorus church cinema cinnamon circle circus citizen city claim clap class
    classic classroom claw clay clean clear clerk clever cliff climate climb clinic clock close
    closet cloth clothes cloud clover clown club clue clumsy coach coal coast coat cobra cobweb
    coconut code coffee coin cold collar collect college color column comb combine come comedy
    comfort comic command comment common company compare compass complain complete computer
    concert concrete confess confuse connect consider contain contest continue control cook
    cookie cool copper copy coral cord cork corn corner correct cost costume cottage cotton
    couch cough could count counter country couple courage course court cousin cover cow coward
    coyote crab crack cradle craft crane crash crawl crayon crazy cream create creature creek
    crew cricket crime crisp crocodile crop cross crow crowd crown cruel crumb crunch crush
    crust cry crystal cube cuckoo cucumber cup cupboard cure curious curl current curry curtain
    curve cushion custom customer cut cute cycle dad dairy daisy damage damp dance dancer
    danger dangerous dare dark darkness dash date daughter dawn day daylight dead deaf deal
    dear death debt decade decay december decent decide deck declare decorate deep deer defeat
    defend degree delay delicate delicious delight deliver demand den dentist deny depart
    depend deposit depth describe desert deserve design desire desk dessert destroy detail
    detect develop device devote diamond diary dictionary die diet differ different difficult
    dig digital dinner dinosaur dip direct direction dirt dirty disagree disappear discover
    discuss disease disguise dish dislike display distance distant disturb ditch dive divide
    dizzy doctor document dog doll dollar dolphin donkey door dot double doubt dough dove down
    downstairs dozen draft drag dragon drain drama draw drawer drawing dream dress drift drill
    drink drip drive driver drizzle drop drown drum dry duck dull during dusk dust dusty duty
    dwarf each eager eagle ear early earn earth earthquake easel east easy eat echo edge editor
    educate eel effect effort egg eight either elastic elbow elder elect elegant elephant
    eleven elf else email emerald emotion empire employ empty enable end enemy energy engine
    engineer enjoy enormous enough enter entire entrance envelope envy equal equip erase errand
    error escape especially even evening event ever every evidence evil exact exam example
    excellent except exchange excite excuse exercise exist exit expand expect expensive expert
    explain explode explore express extra extreme eye eyebrow fable fabric face fact factory
    fade fail faint fair fairy faith fake fall false fame family famous fan fancy far farm
    farmer farther fashion fast fat father fault favor favorite fear feast feather february
    feed feel feeling fellow female fence fern ferry festival fetch fever few fiction field
    fifteen fifth fifty fig fight figure file fill film filter final find fine finger finish
    fire fireplace firework firm first fish fist fit five fix flag flame flash flashlight flat
    flavor flea flesh flight float flock flood floor flour flow flower fluffy flute fly foam
    fog fold folder folk follow food foolish foot football footprint footstep forbid force
    forehead foreign forest forever forget forgive fork form former fort fortune forty forward
    fossil found fountain four fox frame freckle free freedom freeze freezer frequent fresh
    friday fridge friend friendly frighten fringe frog from front frost frown frozen fruit fry
    fuel full fun funeral funny fur furious furniture further future gain gallery gallop gamble
    game gap garage garden gardener garlic gas gate gather gaze gem general generous gentle
    gentleman genuine geography germ ghost giant gift ginger giraffe girl give glacier glad
    glance glass gleam glide globe gloomy glory glove glow glue goal goat goblin gold golden
    goldfish golf good goodbye goose gorilla gossip govern grab grace grade grain grammar grand
    grandma grandpa granite grape graph grasp grass grateful grave gravel gravity gravy gray
    great greedy green greet grief grill grin grip groan grocery groom ground group grow growl
    grown guard guess guest guide guilty guitar gulf gum gun guy gymnast habit hail hair
    haircut half hall halloween ham hammer hammock hamster hand handle handsome hang happen
    happiness happy harbor hard hardly hare harm harmony harp harsh harvest hat hatch hate haul
    haunt have hawk hay hazel head headache heal health healthy heap hear heart heat heaven
    heavy hedge hedgehog heel height helicopter hello helmet help helpful hen herb herd here
    hero heron hidden hide high highway hike hill hint hip hippo hire history hit hive hobby
    hold hole holiday hollow holly holy home homework honest honey honor hood hoof hook hop
    hope horizon horn horrible horse hose hospital host hostel hot hotel hour house how howl
    hug huge human humble humor hundred hungry hunt hunter hurricane hurry hurt husband hut ice
    iceberg icicle icing idea ideal idle igloo ignore iguana ill illness image imagine
    immediate impatient important impossible improve inch include income increase indeed index
    indoor infant inform injure ink inn inner innocent insect inside insist inspect instant
    instead instrument insult intend interest interrupt into invent invention invisible invite
    iron island itch item ivory ivy jacket jaguar jail jam january jar jaw jazz jealous jeans
    jelly jewel jigsaw job jog join joke jolly journal journey joy judge juggle juice juicy
    july jumble jump june jungle junior junk jury just justice kangaroo karate keen keep kennel
    kettle key keyboard kick kid kidney kill kilogram kind kindness king kingdom kiss kit
    kitchen kite kitten kiwi knee kneel knife knight knit knob knock knot know knowledge koala
    label labor lace ladder lady ladybird lake lamb lamp land landlord lane language lantern
    lap large lark laser last late later laugh laughter laundry lava lavender law lawn lawyer
    layer lazy lead leader leaf league leak lean leap learn leash least leather leave lecture
    left leg legal legend leisure lemon lemonade lend length lentil leopard less lesson letter
    lettuce level lever liberty library lick lid lie life lift light lighthouse lightning like
    lily limb lime limit limp line linen link lion lip liquid list listen little live lively
    liver lizard load loaf loan lobster local lock lodge log logic lonely long look loop loose
    lord lose loss lost loud lounge love lovely low loyal luck lucky luggage lullaby lumber
    lump lunch lung luxury lynx machine mad magazine magic magician magnet magpie mail main
    major make male mall mammal manage manager mango manner mansion many map maple marathon
    marble march margin marine mark market marmalade marry marsh marvel mask mass master mat
    match mate material matter mattress mature may maybe mayor maze meadow meal mean meaning
    measure meat mechanic medal medicine medium meet meeting melody melon melt member memory
    mend mental mention menu mercy mermaid merry mess message metal meter method midday middle
    midnight might mild mile milk mill million mind mine mineral minister minor mint minus
    minute miracle mirror miserable miss mist mistake mitten mix mixture moan mobile model
    modern modest moist mole moment monday money monitor monkey monster month mood moon
    moonlight moose moral more morning mosquito moss most moth mother motion motor mountain
    mouse mouth move movie mud muddy muffin mug mule multiply mumble muscle museum mushroom
    music musician must mustard mystery myth nail naked name nap napkin narrow nasty nation
    native nature naughty navy near nearby nearly neat necessary neck necklace nectar need
    needle negative neglect neighbor neither nephew nerve nervous nest net nettle network never
    new news newspaper next nibble nice nickname niece night nightmare nine ninety noble nobody
    nod noise noisy none noodle noon normal north nose notebook nothing notice noun novel
    november now nowhere nuisance number nurse nursery nut nutmeg oak oar oasis oat obey object
    oblong observe obvious occasion ocean october octopus odd offer office officer often oil
    old olive omelet once one onion only open opera operate opinion opposite option oral orange
    orbit orchard orchestra orchid order ordinary organ origin ostrich other otter ought ounce
    outdoor outer outside oval oven over overcoat owe owl own owner oxygen oyster pace pack
    package packet paddle page pain paint painter painting pair palace pale palm pan pancake
    panda panic panther pants paper parade parcel pardon parent park parrot parsley part
    partner party pass passage passenger passport past pasta paste pastry pasture patch path
    patience patient pattern pause pavement paw pay pea peace peach peacock peak peanut pear
    pearl pebble peculiar pedal peel peep pelican pen penalty pencil penguin penny people
    pepper perfect perform perfume perhaps period permit person pet petal phone photo phrase
    piano pick pickle picnic picture pie piece pig pigeon pile pill pillow pilot pin pine
    pineapple pink pint pioneer pipe pirate pit pitch pizza place plain plan plane planet plank
    plant plaster plastic plate play player playful please pleasure plenty plot plough plow
    plug plum plumber plump plural plus pocket poem poet point poison polar pole police polish
    polite pollen pond pony pool poor popcorn poppy popular porch porridge port portrait
    position positive possible post postcard poster pot potato pottery pouch pound pour powder
    power practice praise prawn pray prefer prepare present president press pretend pretty
    prevent price pride priest prince princess print printer prison private prize problem
    process produce profit program progress project promise proof proper protect protest proud
    prove provide prune public pudding puddle pull pulse pump pumpkin punch punish pupil puppet
    puppy pure purple purpose purse push put puzzle pyramid python quack quail quality quantity
    quarrel quarry quarter queen question queue quick quiet quilt quit quite quiz quote rabbit
    raccoon race racket radar radiator radio radish raft rage raid rail railway rain rainbow
    raincoat raindrop raise raisin rake ranch range rapid rare raspberry rat rather raven raw
    ray razor reach react read reader ready real realize really reason receipt receive recent
    recipe record recover rectangle red reduce reed reef referee reflect refuse region regret
    regular reindeer reject relate relative relax release relief rely remain remark remember
    remind remote remove rent repair repeat replace reply report reptile request rescue
    research reserve resist respect rest restaurant result return reveal revenge reverse review
    reward rhino rhyme rhythm rib ribbon rice rich riddle ride rider ridge right ring rinse
    ripe rise risk rival river road roar roast robber robe robin robot rock rocket rod roll
    romantic roof rookie room root rope rose rotten rough round route row royal rub rubber
    rubbish ruby rude rug ruin rule ruler rumble rumor run runner rural rush rust sack sacred
    sad saddle sadness safe safety saffron sail sailor salad salary sale salmon salt same
    sample sand sandal sandwich sapphire sardine satellite satin satisfy saturday sauce saucer
    sausage save saw say scale scar scarce scare scarecrow scarf scarlet scatter scene scenery
    scent schedule school science scientist scissors scold scoop scooter score scorpion scout
    scramble scrap scratch scream screen screw scrub sculpture sea seafood seal search seashell
    season seat seaweed second secret secretary section see seed seek seem seldom select self
    sell send senior sense sensible sentence separate september series serious servant serve
    service set settle seven seventy several severe sew shade shadow shake shall shallow shame
    shampoo shape share shark sharp shave shawl she shed sheep sheet shelf shell shelter
    shepherd shield shift shine ship shirt shiver shock shoe shoot shop shopkeeper shore short
    shorts should shoulder shout shovel show shower shrimp shrink shut shy sick side sigh sight
    sign signal silence silent silk silly silver similar simple since sing singer single sink
    sister sit six sixty size skate skeleton sketch ski skill skin skip skirt skull sky
    skyscraper slam slap slave sled sleep sleepy sleeve slice slide slight slim slip slipper
    slope slow small smart smash smell smile smoke smooth snack snail snake snap sneeze sniff
    snore snow snowball snowflake snowman soap sob soccer social sock sofa soft soil soldier
    solid solve some somebody someone something sometimes somewhere son song soon sorrow sorry
    sort soul sound soup sour south space spade spaghetti spare spark sparkle sparrow speak
    speaker special speech speed spell spend spice spider spin spinach spirit splash splendid
    split spoil sponge spoon sport spot spray spread spring sprout square squash squeeze squid
    squirrel stable stadium staff stage stain stair stale stamp stand star stare starfish start
    starve station statue stay steady steak steal steam steel steep stem step stew stick sticky
    stiff still sting stir stitch stomach stone stool stop storage store storm story stove
    straight strange stranger straw strawberry stream street strength stretch strict strike
    string strip stripe strong struggle stubborn student studio study stuff stumble stupid
    style subject submarine subtract suburb succeed success such sudden suffer sugar suggest
    suit suitable suitcase sultan sum summer summit sun sunday sunflower sunlight sunny sunrise
    sunset sunshine super supper supply support suppose sure surface surgeon surname surprise
    surround survive suspect swallow swamp swan swap sweat sweater sweep sweet swift swim
    swimmer swing switch sword syllable symbol sympathy syrup system table tablet tadpole tail
    tailor take tale talent talk tall tame tan tangle tank tap tape target tart task taste
    tasty taxi tea teach teacher team teapot tear tease teaspoon telephone telescope television
    tell temper temple ten tender tennis tent term terrible test text than thank theater their
    them then theory there thermos they thick thief thigh thimble thin thing think third
    thirsty thirteen thirty this thistle thorn though thought thousand thread threat three
    throat throne through throw thumb thunder thursday ticket tickle tide tidy tie tiger tight
    tile till timber time timid tin tiny tip tired tissue title toad toast tobacco today
    toddler toe toffee together toilet tomato tomb tomorrow ton tone tongue tonight tool tooth
    top topic torch tornado tortoise total touch tough tour tourist toward towel tower town toy
    trace track tractor trade traffic trail train trainer translate trap travel traveler tray
    treasure treat tree tremble trend trial triangle tribe trick trip triumph trolley trombone
    troop tropical trouble trousers trout truck true trumpet trunk trust truth try tub tube
    tuesday tug tulip tumble tuna tunnel turkey turn turnip turtle twelve twenty twice twig
    twilight twin twist two type typical tyre ugly umbrella uncle under understand undo unfair
    unicorn uniform union unique unit universe unkind unknown unless unlock unlucky until
    unusual upon upper upset upstairs upward urgent use useful useless usual vacation vacuum
    valley valuable value van vanilla vanish variety various vase vast vault vegetable vehicle
    veil vein velvet verb verse very vessel vest vet victim victory video view village villain
    vine vinegar violet violin virus visible vision visit visitor vital vivid vocabulary voice
    volcano volume vote vowel voyage vulture wade wafer wagon waist wait waiter wake walk wall
    wallet walnut walrus wander want war wardrobe warehouse warm warn warning wash wasp waste
    watch water waterfall watermelon wave wax way weak wealth weapon wear weary weather weave
    web wedding wednesday weed week weekend weigh weight weird welcome well west western wet
    whale wharf what wheat wheel when where which while whip whirl whisker whisper whistle
    white who whole why wicked wide widow width wife wild will willow win wind windmill window
    windy wine wing winner winter wipe wire wisdom wise wish witch with without witness wizard
    wolf woman wonder wonderful wood wooden woodpecker wool word work worker workshop world
    worm worry worse worst worth wound wrap wreck wrench wrestle wrinkle wrist write writer
    writing wrong yacht yard yarn yawn year yeast yell yellow yes yesterday yet yoghurt yogurt
    yolk young youth zebra zero zigzag zinc zipper zone zoo
    """
)

FORMS = words_of(
    """
    account actions actually adds adventure adventures against agreed alphabet alphabetical
    alphabetically alphabetize am an and animals answers anybody anything anyway anywhere app
    apples architecture are arrows as asked asks assistant at ate backwards bags bake baking
    balloons bananas baskets baths be beans became beds bedtime been began beginner being bells
    belonged belts berries bicycles bigger birds blankets blew boats books bookshop boots
    bootstrap bored born bottles bought bowed bowls boxes bricks bridges brightest brooms
    brought buckets built burgers buttons by bye cakes calculate called came cameras camping
    candles cannot canyon caps cards carpets carried carrots cars castles cats chains chairs
    changed changes chats checked cheered cherries cities clapped click climbed climbing clocks
    clouds coats coins colleague collecting colour colours combs comes commands compute
    configuration connects constant conversation conversations cookies cooking copied cornfield
    correcting counted covered creator crept cried crying cuda cups curtains cycling danced
    dancing data days decided default delete deleted deletes deleting desks dialogue diamonds
    did discussion discussions disk divided do does done doors dots download downloads drank
    drawn dreamed dreams drums dumplings earlier ears easily eaten edit edits eggs ended
    engines enjoyed envelopes everybody everyone everything everywhere exactly export exported
    facts failed falafel farmyard faster fastest favourite feathers feelings fell felt fences
    files fingers fishing fits fitted fixed flags flew flowers folders folds followed following
    fond for forgot forgotten forks frequency fried friends gardening gardens gates gave geese
    generate gets given gloves go goes going gosling got grandfather grandmother grapes
    graphics greater greetings grew grows guitars had hammers hands happened happens happier
    harbour has hats he heard hearts held helped helper her hey hi higher highest hiking hills
    him his horses houses hub hugged hugging if import in information installed installers
    interesting internet invited is islands it its itself jackets jars jewels juggling jugs
    jumped kept kettles keyring keys kindly kinds kites knew knitting knocked ladders lakes
    lamps laptop larger lasagne laughed lay learned learning lemons lessons letters licence
    liked likeliest likely lists lived lives living loaded loading loads locked locks logs
    longer longest looked looking looks loved made makers maps marked me meadows means meant
    medals melons messages met mirrors missing mistakes mixed mode models moons mop mountains
    moved much mugs mushrooms my myself nails named names napkins necklaces needed needles
    neighbour nests nets newer newspapers nicer no noodles not note notebooks numbers nuts
    occur of off offers offline oh ok okay older olives on ones onions online onto opened or
    oranges others output outputs ovens packed pages painted pancakes panel parameters parents
    pastime paths pearls pears pencils pens per persona phoned photography picked pictures pies
    pillows pins planes planted plates playing plums pockets ponds potatoes pots practised
    presence presents product profession programs promised prompt proudest proxy pulled pushed
    puts puzzles questions rainbows rained rains readers reading recall recurrent refused
    remembers renamed repeats replies repository response responses restart rests resumed
    ribbons riding rings rivers roads rocks rooms roots ropes roses rowing rows ruined rulers
    rumour running runs sacks safely said sailing sails sang sat saved saves says schools
    searched seconds seeds seen sent sentences sets setting sewing shared shells shining ships
    shirts shivered shoes shone shortly shouted shovels sidebar signs singing skating skein
    skiing skirts sleds slept smaller smelled smiled snoring snowed so socks sofas software
    sold sorted soundly sounds spaceship speaks spelled spoons springs stamps stars started
    starts state states stayed stays stepped steps sticks stirred stones stopped stops stories
    storms stoves strategy strawberries streets stuck stumbled suitcases suits sums suns
    surfing sushi sweetly swimming swings tab tables tacos talking talks tasted tastes
    telemetry telling temperature tents terminal texts thanked thankful thanks that the theatre
    themselves these things thinking thoughts threads tickets ties times titles to token tokens
    told tomatoes too took tools towels towers towns trained trains transformer trash travelled
    trees tried trumpets trying turned umbrellas unfolds unused up update us used user varied
    vases version versions villages violins visited vowels waffles wagons waited walls wanted
    warmest was watching we weekends went were wheels whenever whether whistles whose windows
    wires within woke wondering woods words worked working works would written wrote yards
    years yoga you your yours yourself
    """
)
"""Other forms of words, small words, and what this app speaks of: all that one token may stand for
must be spelled somewhere."""

_LISTS = (FORMS, ADJECTIVES, ADVERBS, ANIMALS, COLOURS, JOBS, SHORT, THINGS, VERBS)
SPELLED_WORDS = tuple(sorted({*COMMON_WORDS, *(word for words in _LISTS for word in words)}))
"""All words that are spelled."""
LETTER_WORDS = tuple(word for word in SPELLED_WORDS if 3 <= len(word) <= 10)
"""All words whose letters are worked on."""

_ONSETS = words_of("b c d f g h j k l m n p r s t v w z br cl dr fl gr kr pl sk sn st th tr sh ch")
_VOWELS = words_of("a e i o u a e i o ai ea oo ou")
_CODAS = ("", "", "", *words_of("l m n p r s t k x nd rk st sh mp"))


def invented_word(rng: random.Random) -> str:
    """Return a word of three to ten letters that can be said but hardly means anything."""
    while True:
        syllables = rng.choice((1, 2, 2, 2, 3))
        parts = [rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(syllables)]
        word = "".join(parts) + rng.choice(_CODAS)
        if 3 <= len(word) <= 10:
            return word


def any_word(rng: random.Random, words: tuple[str, ...] = LETTER_WORDS) -> str:
    """Return a word as people ask about one: mostly common, now a name, now an invented one."""
    kind = rng.random()
    if kind < 0.72:
        return rng.choice(words)
    return invented_word(rng) if kind < 0.92 else person(rng)
