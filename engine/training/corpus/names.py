"""Names of people, pets and cities: lists written for this corpus, and names made of syllables.

One name is either for training or for the test, whatever it is given to: the key of ``held_out``
is the name alone. Knows nothing of what is said with a name.
"""

import random
from functools import cache

from engine.training.corpus.exchange import held_out
from engine.training.corpus.words import words_of


def _commas(text: str) -> tuple[str, ...]:
    return tuple(" ".join(name.split()) for name in text.split(","))


PEOPLE = words_of(
    """
    Aaron Abel Ada Adam Adele Adrian Agnes Ahmed Aiko Aino Akira Alan Albert Alejandro Alex
    Alice Alina Alma Amara Amelia Amina Amir Amy Ana Anders Andrea Andreas Andrew Angela Anika
    Anita Anja Anna Annika Anouk Anton Antonia Anya Ariel Arjun Arne Arno Arthur Asha Astrid
    Aurora Ava Axel Ayla Ayumi Barbara Bart Bea Beatrice Bella Ben Benjamin Benno Berit Bernard
    Bianca Birgit Bjarne Boris Brenda Brian Bruno Camila Carla Carlos Carmen Carol Caroline
    Catherine Cecilia Celine Charles Charlotte Chen Chiara Chloe Chris Clara Claudia Clemens
    Cleo Colin Conrad Cora Dagmar Dalia Damian Dan Daniel Daniela Daria David Deborah Deepa
    Delia Denis Derek Diana Diego Dieter Dilan Dina Dmitri Dominic Dora Doris Dorothy Edgar
    Edith Edwin Eileen Elena Eli Elias Elif Elin Elisa Elise Ella Ellen Elliot Elsa Elvira Emil
    Emilia Emily Emma Enrico Enzo Eric Erika Esra Esther Ethan Eugene Eva Evelyn Fabian Fatima
    Felicia Felix Fergus Fiona Flavio Florian Franca Frances Francis Freda Freya Frida Fritz
    Gabriel Gaia Gareth Gemma George Gerda Gianna Gilbert Gina Giulia Gloria Gordon Greta Gregor
    Guido Gunnar Gustav Hana Hannah Hans Harold Harry Hassan Hazuki Heidi Helen Helena Helge
    Henry Herbert Hilda Hiro Holger Hugo Ida Ignacio Igor Ilse Imani Imran Ines Inga Ingrid
    Irene Irina Isaac Isabel Ismael Ivan Ivana Jacob Jamal James Jan Jana Jane Janet Jasmin
    Jasper Javier Jean Jeffrey Jelena Jenna Jennifer Jens Jeremy Jesper Jessica Jill Joan Joana
    Johan Johanna John Jon Jonas Jonathan Joost Jordan Jorge Joseph Josephine Joshua Juan Judith
    Julia Julian Julie Julius Jun Justin Kaito Kamal Kara Karen Karim Karin Karl Kasper Kate
    Katja Kavya Keith Keiko Kenji Kevin Khalid Kiara Kim Kira Klaus Konrad Kristin Kurt Laila
    Lara Lars Laszlo Laura Laurence Lea Leah Leander Leila Lena Leo Leon Leonie Leroy Levi Liam
    Lian Lidia Lila Lilian Lina Linda Linnea Lisa Livia Lorenz Lorenzo Lotte Louis Louise Luca
    Lucas Lucia Lucy Ludwig Luis Luisa Luka Luna Lydia Mabel Maddox Madeleine Magda Magnus
    Mahmoud Malik Malin Manuel Mara Marcel Marco Marcus Margaret Maria Marian Marie Marina Mario
    Marisol Marta Martha Martin Mateo Mathilda Matteo Matthew Maurice Max Maya Mei Melanie
    Melina Mia Michael Michelle Miguel Mika Mila Milan Milena Mina Ming Mira Miriam Mohamed
    Moira Mona Monica Moritz Nadia Nadine Nala Naomi Natalie Nathan Neil Nele Nelly Nestor Nia
    Niamh Nicholas Nico Nicole Nikolai Nils Nina Nisha Noah Noel Noemi Nora Norman Nuria Odin
    Olaf Oleg Olga Oliver Olivia Omar Oona Oscar Oskar Otis Otto Owen Pablo Padma Pamela Paolo
    Patricia Patrick Paul Paula Pauline Pavel Pedro Peggy Pepe Percy Pernille Peter Petra Philip
    Philippa Pia Pierre Pilar Priya Quentin Quinn Rachel Rafael Rahel Raj Ralph Ramona Raoul
    Rasmus Rebecca Regina Rene Ricardo Richard Rita Robert Roberta Robin Roger Roland Romy Ronja
    Rosa Rosalie Rowan Roxana Ruben Rudolf Rupert Ruth Ryan Sabine Sadie Salma Sam Samira
    Samuel Sandra Santiago Sara Sasha Saskia Sayuri Scott Sebastian Selim Selma Serena Sergio
    Seth Shanti Sheila Shirin Sigrid Silas Silvia Simon Simone Sina Sofia Solveig Sonja Sophie
    Stefan Stella Steven Stuart Susan Svea Sven Sylvia Takumi Tamara Tanja Tara Tariq Tatjana
    Teresa Tess Thea Theo Thomas Tilda Till Tim Timo Tina Tobias Tom Tomas Toni Tove Tracy
    Tristan Trudy Ulf Ulla Ulrike Ursula Valentin Valeria Vanessa Vera Veronica Vicente Victor
    Victoria Viktor Vincent Viola Violeta Virginia Vivian Wanda Walter Wayne Wendy Werner Wilma
    Xenia Xavier Yael Yann Yara Yasmin Yolanda Yuki Yuri Yusuf Yves Zahra Zara Zelda Zoe Zofia
    Zuri José Zoë André Jürgen Björn Renée Łukasz Søren Núria Chloé
    """
)

PETS = words_of(
    """
    Amigo Archie Arlo Bagel Bailey Balu Bandit Barkley Barney Basil Baxter Beanie Benji Bertie
    Biscuit Blinky Bobo Bobby Bonbon Bonnie Boomer Bosco Brownie Brutus Bubbles Buddy Bullet
    Buster Button Caesar Candy Caramel Casper Charlie Cheddar Chewie Chico Chip Cinnamon Clover
    Coco Cookie Copper Cosmo Crumble Cuddles Cupcake Dasher Dexter Digger Dingo Diva Dodger
    Domino Dottie Dotty Duffy Duke Dumpling Dusty Elmo Fairy Felice Fergie Fido Fifi Figaro Finn
    Flash Flecki Flocke Fluffy Foxy Freckles Frodo Fudge Garfield Gigi Ginger Gizmo Goldie
    Gromit Guinness Gulliver Gumbo Hamlet Happy Harley Hermes Hobbes Honey Hopper Hoppel Hooch
    Inky Jackie Jaffa Jagger Jelly Jester Jinx Jojo Juno Kiki Kiko Kipper Kiwi Koko Krümel
    Lassie Leika Lola Loki Lolly Lotta Lucky Lulu Macy Maggie Maja Mango Maple Marbles Maxi
    Mickey Midnight Mikado Milka Millie Milo Mimi Minka Minky Minnie Misty Mitzi Mochi Mogli
    Molly Momo Monty Moppel Morle Muffin Murphy Nacho Nero Nibbles Noodle Nougat Nugget Oakley
    Odie Oreo Otter Ozzy Paco Paddy Panda Patch Paws Peanut Pebbles Penny Pepper Piccolo Pickles
    Pip Pippa Pippin Pixel Pixie Pluto Polly Poncho Popcorn Poppy Porky Prince Princess Pudding
    Puffin Pumpkin Quincy Raisin Rambo Rascal Rex Ringo Rocco Rocky Rollo Romeo Roxy Ruffles
    Rufus Rusty Salem Salsa Sammy Scamp Scooby Scout Scruffy Shadow Sheba Simba Skippy Smokey
    Smudge Snickers Snoopy Snowball Snuffles Socks Sparky Speedy Spike Splash Spot Squeak
    Stripes Sugar Sultan Sunny Susi Sushi Taco Tapsi Tarzan Teddy Thumper Tigger Tiggy Tinker
    Toby Toffee Tommy Tootsie Topsy Treacle Trixie Truffle Tucker Tuffy Turbo Twinkle Twix Vasco
    Velvet Waffles Waldo Wally Whiskers Whisky Wilbur Willow Winnie Winston Wolfie Woody Wuschel
    Yoda Yogi Yoshi Zazu Zeus Ziggy Zippy Zorro
    """
)

CITIES = _commas(
    """
    Aachen, Aalborg, Aarhus, Aberdeen, Accra, Addis Ababa, Adelaide, Agadir, Algiers,
    Alicante, Almaty, Amman, Amsterdam, Ankara, Antalya, Antwerp, Arequipa, Arezzo, Asmara,
    Athens, Atlanta, Auckland, Augsburg, Austin, Avignon, Baden, Baghdad, Baku, Baltimore,
    Bamako, Bangkok, Barcelona, Bari, Basel, Bath, Beijing, Beirut, Belfast, Belgrade,
    Bergamo, Bergen, Berlin, Bern, Bilbao, Birmingham, Bogota, Bologna, Bombay, Bonn,
    Bordeaux, Boston, Bozeman, Brasov, Bratislava, Bremen, Brest, Brighton, Brisbane,
    Bristol, Brno, Bruges, Brussels, Bucharest, Budapest, Buenos Aires, Buffalo, Burgos,
    Cadiz, Cairo, Calais, Calgary, Cambridge, Canberra, Cancun, Cape Town, Caracas, Cardiff,
    Carlisle, Cartagena, Casablanca, Catania, Chemnitz, Chester, Chicago, Cleveland,
    Coimbra, Cologne, Colombo, Cordoba, Cork, Coventry, Cusco, Dakar, Dallas, Damascus,
    Danzig, Darmstadt, Darwin, Davos, Delft, Delhi, Denver, Derby, Detroit, Dhaka, Dijon,
    Dover, Dresden, Dubai, Dublin, Dundee, Durban, Durham, Edinburgh, Eindhoven, Erfurt,
    Esbjerg, Essen, Exeter, Faro, Ferrara, Fez, Florence, Frankfurt, Freiburg, Fukuoka,
    Galway, Gdansk, Geneva, Genoa, Ghent, Girona, Glasgow, Goa, Gothenburg, Granada, Graz,
    Grenoble, Groningen, Hague, Haifa, Halifax, Halle, Hamburg, Hamilton, Hanoi, Hanover,
    Harare, Havana, Heidelberg, Helsinki, Hiroshima, Hobart, Hong Kong, Honolulu, Houston,
    Hull, Inverness, Innsbruck, Islamabad, Istanbul, Izmir, Jaipur, Jakarta, Jena,
    Jerusalem, Johannesburg, Kabul, Kampala, Karachi, Karlsruhe, Kassel, Kathmandu, Kaunas,
    Kiel, Kigali, Kinshasa, Kobe, Kolkata, Konstanz, Krakow, Kyoto, La Paz, Lagos, Lahore,
    Lausanne, Leeds, Leicester, Leiden, Leipzig, Lille, Lima, Limerick, Linz, Lisbon,
    Liverpool, Ljubljana, London, Los Angeles, Luanda, Lucca, Lucerne, Lund, Lusaka,
    Luxembourg, Lyon, Maastricht, Madrid, Mainz, Malaga, Malmo, Manchester, Manila,
    Mannheim, Maputo, Marburg, Maribor, Marrakesh, Marseille, Medellin, Melbourne, Memphis,
    Mexico City, Miami, Milan, Minsk, Modena, Monaco, Montreal, Montevideo, Moscow, Mumbai,
    Munich, Murcia, Nagoya, Nairobi, Namur, Nantes, Naples, Nashville, New Orleans, New
    York, Newcastle, Nicosia, Norwich, Nottingham, Odense, Odessa, Oporto, Orlando, Osaka,
    Oslo, Ottawa, Oulu, Oviedo, Oxford, Padua, Palermo, Palma, Panama City, Paris, Parma,
    Perth, Perugia, Philadelphia, Phoenix, Pisa, Plovdiv, Plymouth, Portland, Porto,
    Potsdam, Poznan, Prague, Preston, Quebec, Quito, Rabat, Ravenna, Regensburg, Reykjavik,
    Riga, Rimini, Rio de Janeiro, Rome, Rostock, Rotterdam, Rouen, Salamanca, Salerno,
    Salzburg, San Diego, San Francisco, San Sebastian, Santiago, Sapporo, Sarajevo, Seattle,
    Segovia, Seoul, Seville, Shanghai, Sheffield, Siena, Singapore, Skopje, Sofia, Split,
    Stavanger, Stirling, Stockholm, Strasbourg, Stuttgart, Sydney, Szeged, Tallinn, Tampere,
    Tangier, Tartu, Tbilisi, Tehran, Tirana, Tokyo, Toledo, Toronto, Toulouse, Trento,
    Trier, Trieste, Tromso, Trondheim, Tunis, Turin, Turku, Ulm, Uppsala, Utrecht, Valencia,
    Valletta, Vancouver, Varna, Venice, Verona, Vienna, Vilnius, Warsaw, Washington, Weimar,
    Wellington, Winnipeg, Worms, Wuppertal, Yerevan, Yokohama, York, Zadar, Zagreb,
    Zaragoza, Zurich, Zürich, Malmö, Tromsø, Bogotá, Kraków, São Paulo, Córdoba
    """
)

_STARTS = words_of("""
    b c d f g h j k l m n p r s t v w z b d g k l m n r s t z b d g k l m n r s t z
    bl br ch cr dr fl fr gl gr kl kr pl pr qu sh sk sl sn st th tr tw vl x y
""")
_VOWELS = words_of("a e i o u a e i o u a e i o u ai au ea ee ei ia ie io oo ou y ae")
_ENDS = ("",) * 16 + words_of("n r l s m t k d nd rk th sh x ng rn lt ck st ph zz")
_TAILS = {
    "city": ("", "", "", *words_of("ville burg ton stad mouth ford heim grad holm")),
    "name": ("",),
}
_INVENTED = 0.6
"""How many of the names are in no list: those must be copied letter by letter."""
_BLENDED = 0.3
"""How many of those are made of two names that are; the others of syllables."""


@cache
def listed(names: tuple[str, ...], held: bool = False) -> tuple[str, ...]:
    """Return the part of a list that is for training, or with ``held`` for the test."""
    return tuple(name for name in names if held_out("name", name.lower()) == held)


def invented(rng: random.Random, held: bool = False, kind: str = "name") -> str:
    """Return a name that hardly anybody has, such as Zorvath; kind: "name" or "city"."""
    while True:
        name = _syllables(rng) + rng.choice(_TAILS[kind])
        if 3 <= len(name) <= 12 and held_out("name", name) == held:
            return name[0].upper() + name[1:]


def _syllables(rng: random.Random) -> str:
    if rng.random() < 0.05:  # no pattern to lean on: letters as they come
        letters = rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 7))
        return "".join(letters)
    parts: list[str] = []
    for _ in range(rng.choice((1, 2, 2, 2, 3, 3))):
        if parts or rng.random() < 0.9:
            parts.append(rng.choice(_STARTS))
        parts.append(rng.choice(_VOWELS))
    return "".join(parts) + rng.choice(_ENDS)


def blended(rng: random.Random, names: tuple[str, ...], held: bool = False) -> str:
    """Return the beginning of one name with the end of another, such as Karlstol: what begins like
    a name that is known does not always go on like it."""
    while True:
        first, second = rng.choice(names), rng.choice(names)
        begun = first[: rng.randint(2, max(2, len(first) - 1))].rstrip()
        name = begun + second[rng.randint(1, len(second)) :].lower()
        known = name in names or held_out("name", name.lower()) != held
        if 3 <= len(name) <= 12 and not known:
            return name


def person(rng: random.Random, held: bool = False) -> str:
    """Return a person's first name."""
    return _unheard(rng, held, PEOPLE) or rng.choice(listed(PEOPLE, held))


def pet(rng: random.Random, held: bool = False) -> str:
    """Return a pet's name; now and then it is one that people have."""
    if rng.random() < 0.15:
        return person(rng, held)
    return _unheard(rng, held, PETS) or rng.choice(listed(PETS, held))


def city(rng: random.Random, held: bool = False) -> str:
    """Return a city's name."""
    return _unheard(rng, held, CITIES, "city") or rng.choice(listed(CITIES, held))


def _unheard(rng: random.Random, held: bool, names: tuple[str, ...], kind: str = "name") -> str:
    """Return a name that is in no list, or nothing as often as names of the list are wanted."""
    if rng.random() >= _INVENTED:
        return ""
    if rng.random() < _BLENDED:
        return blended(rng, listed(names), held)
    return invented(rng, held, kind)
