"""The vocabulary of the reference's sections: names, order, addresses, and which imported question belongs to which."""

import re

from core.vocabulary import SECTION_KEYS


def N_(text: str) -> str:
    """Marks a text for translation; the page that shows it translates it."""
    return text


# What a section is called where its own heading says too little (tabs, related links, the printed list).
NAMES = {
    "introduction": N_("Introduction"),
    "symptoms": N_("Symptoms"),
    "causes": N_("Causes"),
    "diagnosis": N_("Diagnosis"),
    "tests": N_("Tests"),
    "treatments": N_("Treatments"),
    "misdiagnosis": N_("Often confused with"),
    "home_testing": N_("What to check at home"),
    "undiagnosed": N_("When no cause is found"),
    "complications": N_("Complications"),
    "outlook": N_("Outlook"),
    "prevention": N_("Prevention"),
    "red_flags": N_("Warning signs"),
    "questions_a_doctor_asks": N_("Questions a doctor asks"),
    "find_doctor": N_("Finding a doctor"),
    "videos": N_("Videos"),
    "related": N_("Related conditions"),
    "other": N_("More about it"),
}

# The question types of MedQuAD and where they belong; what is not named here is "other".
KEY_OF_QUESTION = {
    "information": "introduction",
    "symptoms": "symptoms",
    "causes": "causes",
    "susceptibility": "causes",
    "inheritance": "causes",
    "genetic changes": "causes",
    "exams and tests": "tests",
    "stages": "diagnosis",
    "treatment": "treatments",
    "considerations": "treatments",
    "complications": "complications",
    "outlook": "outlook",
    "prevention": "prevention",
    "when to contact a medical professional": "red_flags",
    "support groups": "find_doctor",
    "frequency": "other",
    "research": "other",
}

_POSITION = {key: place for place, key in enumerate(SECTION_KEYS)}


def key_of_question(question_type: str) -> str:
    """The section key of an imported question type."""
    return KEY_OF_QUESTION.get(" ".join(question_type.lower().split()), "other")


def order(key: str) -> int:
    """Where a section of this key stands on a page."""
    return _POSITION.get(key, len(_POSITION))


def url(slug: str, key: str) -> str:
    """The address of all sections of one key."""
    return f"/reference/{slug}/{key.replace('_', '-')}"


def key_of_path(part: str) -> str | None:
    """The key that an address names, or None."""
    key = part.replace("-", "_")
    return key if key in _POSITION and "_" not in part else None


def heading_of_question(question: str) -> str:
    """A heading from a question of an archive: white space and doubled marks tidied, no word changed but "is (are)"."""
    text = " ".join(question.split())
    text = re.sub(r"\s*\?(?:\s*\?)*\s*$", "?", text)
    text = re.sub(r"\bis \(are\) ?", "is ", text)
    text = re.sub(r"\s+([?!,.;:])", r"\1", text)
    return text[:1].upper() + text[1:]
