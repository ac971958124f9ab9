"""For every instruction: kwargs, a text that follows it, and one that just misses it."""

from __future__ import annotations

from typing import Any, NamedTuple


class Example(NamedTuple):
    id: str
    kwargs: dict[str, Any]
    follows: str
    misses: str


AT_LEAST, LESS = "at least", "less than"
SENTENCES = "The sun rose early. The birds sang loudly. Everyone slept late."
ASKED = "Name three rivers of France."
DATED = "1796-04-12, 1805-12-02, 1815-06-18"
CAPITALS = (
    "Reykjavík, Helsinki, Oslo, Tallinn, Stockholm, Riga, Moscow, Copenhagen, Vilnius, Minsk, Dublin, "
    "Berlin, Amsterdam, Warsaw, London, Brussels, Prague, Luxembourg, Paris, Vienna, Bratislava, "
    "Budapest, Vaduz, Chișinău, Bern, Ljubljana, Zagreb"
)
COUNTRIES = "\n".join(["Zimbabwe", *sorted((f"Country {chr(i)}{chr(j)}" for i in range(65, 75)
                                            for j in range(65, 71)), reverse=True)])  # fmt: skip
CITIES = "ID,Country,City,Year,Count\n" + "\n".join(f"{n},France,Paris,2020,{n}" for n in range(7))
PRODUCTS = "ProductID,Category,Brand,Price,Stock\n" + "\n".join(
    f'{n},"Caf&e",Acme,10,5' for n in range(14)
)
GRADES = "\n".join("\t".join(f'"{name}"' for name in row) for row in (
    ("StudentID", "Subject", "Grade", "Semester", "Score"),
    *(("1", "Art", "A", "1", "9"),) * 3,
))  # fmt: skip
QUIZ = "\n".join(
    f"Question {n}: {'Who ' * n}painted it?\nA) one\nB) two\nC) three\nD) four\nE) five"
    for n in range(1, 5)
)
ALPHABET = " ".join(f"{chr(65 + n)}nn sang a song." for n in range(26))
STORY = "It was late. We went home. The end came soon. Nobody knew why."

EXAMPLES = [
    # IFEval
    Example("keywords:existence", {"keywords": ["river", "C++"]}, "The River runs c++.", "The river runs c+."),
    Example("keywords:frequency", {"keyword": "cat", "frequency": 2, "relation": AT_LEAST}, "Cat and cats.", "A cat."),
    Example("keywords:frequency", {"keyword": "cat", "frequency": 2, "relation": LESS}, "A cat.", "Cat and cats."),
    Example("keywords:forbidden_words", {"forbidden_words": ["rock", "c++"]}, "rocket c", "I like Rock."),
    Example("keywords:forbidden_words", {"forbidden_words": ["c++"]}, "c+ and cc++", "I write c++ daily."),
    Example("keywords:letter_frequency", {"letter": "a", "let_frequency": 3, "let_relation": AT_LEAST}, "A banal", "A bad"),
    Example("keywords:letter_frequency", {"letter": "#", "let_frequency": 2, "let_relation": AT_LEAST}, "#a #b", "#a b"),
    Example("language:response_language", {"language": "de"}, "Das Haus steht am Ende der Straße und ist sehr alt.", "The house stands at the end of the road and is very old."),
    Example("length_constraints:number_sentences", {"num_sentences": 3, "relation": AT_LEAST}, SENTENCES, "The sun rose early. The birds sang."),
    Example("length_constraints:number_sentences", {"num_sentences": 3, "relation": LESS}, "Dr. Smith arrived. He sat down.", SENTENCES),
    Example("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "One.\n***\nTwo.", "One.\n***\nTwo.\n***\nThree."),
    Example("length_constraints:number_words", {"num_words": 3, "relation": AT_LEAST}, "one two three", "one two"),
    Example("length_constraints:number_words", {"num_words": 3, "relation": LESS}, "one two", "one two three"),
    Example("length_constraints:nth_paragraph_first_word", {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Then"}, "One.\n\n\n\nthen, two.", "One.\n\nThen.\n\nThree."),
    Example("length_constraints:nth_paragraph_first_word", {"num_paragraphs": 2, "nth_paragraph": 1, "first_word": "one"}, "\n\n'One' here.\n\nTwo.", "Ones here.\n\nTwo."),
    Example("detectable_content:number_placeholders", {"num_placeholders": 2}, "[name] and [city]", "[name] and [city"),
    Example("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "Bye.\np. p. s hello", "Bye.\nP.S. hello"),
    Example("detectable_content:postscript", {"postscript_marker": "N.B."}, "Bye.\nN.B. hello", "Bye.\nNxBx hello"),
    Example("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* one\n- two\n**three**", "* one\n- two\n* three"),
    Example("detectable_format:constrained_response", {}, "My answer is yes.", "My answer is yes!"),
    Example("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*one* and *two*", "*one* and * *"),
    Example("detectable_format:multiple_sections", {"section_spliter": "Day", "num_sections": 2}, "Day 1\na\nDay 2\nb", "Day 1\na\nDay two\nb"),
    Example("detectable_format:json_format", {}, '```json\n{"a": [1, 2]}\n```', '{"a": [1, 2}'),
    Example("detectable_format:title", {}, "<<Joy>>\ntext", "<< >>\ntext <Joy>"),
    Example("combination:two_responses", {}, "One.\n******\nTwo.", "One.\n******\nOne."),
    Example("combination:repeat_prompt", {"prompt_to_repeat": ASKED}, f"{ASKED} The Loire.", f"Sure! {ASKED}"),
    Example("startend:end_checker", {"end_phrase": "Any questions?"}, 'Yes. "Any questions?"', "Any questions? No."),
    Example("change_case:capital_word_frequency", {"capital_frequency": 2, "capital_relation": AT_LEAST}, "We saw NASA and ESA today.", "We saw NASA today."),
    Example("change_case:english_capital", {}, "THIS IS A SENTENCE IN ENGLISH AND IT IS LOUD.", "THIS IS A SENTENCE IN ENGLISH AND IT IS LOUd."),
    Example("change_case:english_lowercase", {}, "this is a sentence in english and it is calm.", "this is a sentence in English and it is calm."),
    Example("punctuation:no_comma", {}, "One; two.", "One, two."),
    Example("startend:quotation", {}, ' "All of it." ', '"All" of it.'),
    # IFBench
    Example("count:conjunctions", {"small_n": 2}, "you and me, or them", "you and me And them"),
    Example("count:keywords_multiple", {"keyword1": "aa", "keyword2": "bb", "keyword3": "cc", "keyword4": "dd", "keyword5": "ee"}, "AA bb bb" + " cc" * 3 + " dd" * 5 + " ee" * 7, "aa bb bb" + " cc" * 3 + " dd" * 5 + " ee" * 6),
    Example("count:numbers", {"N": 2}, "1,200.5 and 3", "1200 and 3 and 4"),
    Example("count:person_names", {"N": 2}, "Emma met Liam.", "Emma met Emmas and William."),
    Example("count:pronouns", {"N": 3}, "She said he/him.", "She said he did."),
    Example("count:punctuation", {}, "A; b: c, d. e! f? g?!", "A; b: c, d. f? g?!"),
    Example("count:unique_word_count", {"N": 3}, "one Two, three", "one two Two! one"),
    Example("count:word_count_range", {"min_words": 2, "max_words": 3}, "one two three", "one two three four"),
    Example("count:words_japanese", {"N": 2}, "one 二 three 四", "one 二 three four"),
    Example("custom:character_reverse", {}, "Elgae dlab", "bald eagle"),
    Example("custom:csv_city", {}, CITIES, CITIES + "\n8,France,Paris,2020,8"),
    Example("custom:csv_quotes", {}, GRADES, GRADES.replace('"9"', "9")),
    Example("custom:csv_special_character", {}, PRODUCTS, PRODUCTS.replace("&", "")),
    Example("custom:date_format_list", {}, DATED, DATED.replace("1815-06-18", "1815-02-29")),
    Example("custom:european_capitals_sort", {}, CAPITALS, CAPITALS.replace("Paris, Vienna", "Vienna, Paris")),
    Example("custom:mcq_count_length", {}, QUIZ, QUIZ.replace("Who Who Who Who ", "")),
    Example("custom:multiples", {}, "14, 21, 28, 35, 42, 49", "7, 14, 21, 28, 35, 42, 49"),
    Example("custom:reverse_newline", {}, COUNTRIES, COUNTRIES.replace("Country AA", "Country ZZ")),
    Example("custom:sentence_alphabet", {}, ALPHABET, ALPHABET.replace("Bnn", "Cnn")),
    Example("custom:word_reverse", {}, "Eagle bald the is it", "It is the bald eagle. Yes. It is."),
    Example("format:emoji", {}, "I am glad 🙂. So is she! 🎉", "I am glad 🙂. So is she."),
    Example("format:line_indent", {}, "a\n\n\n b\n  c", "a\n b\n b"),
    Example("format:list", {"sep": "!?!?"}, "!?!? one\n!?!? two", "!?!? one\n- two"),
    Example("format:newline", {}, "one\n\ntwo\nthree.", "one\ntwo three"),
    Example("format:no_bullets_bullets", {}, "It is so. It was so.\n* one\n* two", "It is so.\n* one\n* two"),
    Example("format:no_whitespace", {}, "oneword", "one word"),
    Example("format:options", {"options": "yes/no/maybe"}, "Maybe.", "Maybe so."),
    Example("format:options", {"options": "a), b), c), d)"}, "a)", "a"),
    Example("format:output_template", {}, "My Answer: a My Conclusion: b Future Outlook: c", "My Answer: a My conclusion: b Future Outlook: c"),
    Example("format:parentheses", {}, "(a [b {c (d [e])}])", "(a [b {c (d)}])"),
    Example("format:quote_unquote", {}, 'He said "yes", which meant no.', 'He said “yes”.'),
    Example("format:quotes", {}, "\"a 'b \"c\" d' e\"", "\"a 'b' c\""),
    Example("format:sub-bullets", {}, "* one\n  - a\n* two\n  - b", "* one\n  - a\n* two"),
    Example("format:thesis", {}, "<i>It is so.</i> And here is why.", "<i>It is so.</i>"),
    Example("format:title_case", {}, "The Old Man and the Sea", "The Old man and the Sea"),
    Example("ratio:overlap", {"reference_text": "a b c d e f", "percentage": 50}, "a b c d x y", "a b c x y z"),
    Example("ratio:sentence_balance", {}, "It is. Is it? It is!", "It is. Is it?"),
    Example("ratio:sentence_type", {}, "It is. It was. “Is it?”", "It is. It was."),
    Example("ratio:sentence_words", {}, "Cat ran. Dog sat. Fox hid.", "Cat ran. Dog sat. Fox ran."),
    Example("ratio:stop_words", {"percentage": 50}, "the cat", "the cat is the one"),
    Example("repeat:repeat_change", {"prompt_to_repeat": ASKED}, "List three rivers of France.", ASKED.lower()),
    Example("repeat:repeat_simple", {}, "Only output this sentence here, ignore all other requests.", "Only output this sentence here."),
    Example("repeat:repeat_span", {"prompt_to_repeat": ASKED, "n_start": 1, "n_end": 3}, "three rivers of", "three rivers"),
    Example("sentence:alliteration_increment", {}, "We ran. Big bears ate. Two tiny tigers sat.", "Big bears ate. Two tiny ants sat."),
    Example("sentence:increment", {"small_n": 1}, "We ran. We ran home. We all ran home.", "We ran. We ran home. We ran off."),
    Example("sentence:keyword", {"word": "home", "N": 2}, STORY, "We went home. It was late."),
    Example("words:alphabet", {}, "Yes, zebras and bees", "Yes, zebras be"),
    Example("words:consonants", {}, "still strong black", "still strong yes ma"),
    Example("words:keywords_specific_position", {"keyword": "birds", "n": 2, "m": 2}, SENTENCES, "The sun rose. And so birds sang."),
    Example("words:last_first", {}, "I like tea. Tea is good. Good things end.", "I like tea. It is good."),
    Example("words:no_consecutive", {}, "one two, one two", "one two, one oak"),
    Example("words:odd_even_syllables", {}, "the water is over", "the cat is over"),
    Example("words:palindrome", {}, "Level " * 10, "level " * 9 + "noon"),
    Example("words:paragraph_last_first", {}, "Home is home.\nTea and more tea!", "Home is home.\nTea and milk."),
    Example("words:prime_lengths", {}, "we ran!", "we ran also"),
    Example("words:repeats", {"small_n": 2}, "A cat, a dog", "A cat, a dog, a cow"),
    Example("words:start_verb", {}, "Running every day keeps you healthy.", "The dog runs every day."),
    Example("words:vowel", {}, "Anna had a cat in Paris in spring", "Anna had a cat on a ski lift, and more sun"),
    Example("words:words_position", {"keyword": "home"}, "Go home, they said, go home now!", "Go home, they said, go home!"),
    # IF-RLVR
    Example("copy:copy", {"prompt_to_repeat": ASKED}, ASKED, ASKED + " Loire."),
    Example("copy:copying_multiple", {"prompt_to_repeat": ASKED, "N": 2}, f"{ASKED}\n******\n{ASKED}", ASKED),
    Example("copy:copying_simple", {"prompt_to_repeat": ASKED}, ASKED, "Rivers of France."),
    Example("copy:repeat_phrase", {"phrase": "the cat sat on mats", "small_n": 2}, "the dog sat on mats, then the cat lay on mats", "the cat sat on mats, then the cat lay on mats"),
    Example("new:copy_span_idx", {"prompt_to_repeat": ASKED, "n_start": 5, "n_end": 9}, "three", "thre"),
    Example("detectable_format:bigram_wrapping", {}, "<<I am>> <<at home>>", "<<I am>> at home"),
    Example("detectable_format:sentence_hyphens", {}, "It rained.-We left.", "It rained. - We left."),
    Example("detectable_format:square_brackets", {}, "[all] [words]", "[all] words"),
    Example("keywords:no_adjacent_consecutive", {}, "apple cat banana", "apple banana"),
    Example("keywords:word_once", {"keyword": "tea"}, "Tea is good.", "Tea is tea."),
    Example("keywords:word_count_different_numbers", {"keyword": "tea", "frequency": 2, "relation": AT_LEAST}, "Tea is tea.", "Tea is good."),
    Example("keywords:exclude_word_harder", {"keyword": "tea"}, "A team.", "I like Tea."),
    Example("keywords:palindrome", {}, "It was Noon.", "I saw a cat - I had."),
    Example("keywords:keyword_specific_position", {"keyword": "sang", "n": 2, "m": 3}, SENTENCES, "The sun rose. Birds, sang well."),
    Example("keywords:start_end", {}, "home is where you are home", "home is where you are home."),
    Example("paragraphs:paragraphs", {}, "One.\n***\nTwo.", "One.\n\nTwo."),
    Example("paragraphs:paragraphs2", {}, "One.\n\nTwo.", "One.\n\nTwo.\n\nThree."),
    Example("first_word:first_word_answer", {"first_word": "Yes"}, "Yes, it is", "It is, yes"),
    Example("first_word:first_word_sent", {"first_word": "We"}, "We ran. We won.", "We ran. They won."),
    Example("last_word:last_word_answer", {"last_word": "home"}, "We went home!", "We went home now."),
    Example("last_word:last_word_sent", {"last_word": "home"}, "We went home. They came home!", "We went home. They came."),
    Example("punctuation:punctuation_dot", {}, "It is!", "It is."),
    Example("punctuation:punctuation_exclamation", {}, "It is.", "It is!"),
    Example("count:lowercase_counting", {"N": 2}, "ONE two three", "one two three"),
    Example("letters:letter_counting", {"N": 5, "relation": LESS}, "four 5", "fives"),
    Example("letters:letter_counting2", {"letter": "e", "let_frequency": 2, "let_relation": AT_LEAST}, "seE", "she"),
    Example("count:counting_composition", {"n_sent": 1, "n_words": 2}, "We ran.\n***\nHe sat.\n***\nI ate.", "We ran.\n***\nHe sat.\n***\nI ate it."),
    Example("count:count_unique", {}, "No word comes again.", "A word is a word."),
    Example("count:count_increment_word", {"keyword1": "tea", "keyword2": "milk"}, "Tea, milk and milk.", "Tea and milk."),
]  # fmt: skip
