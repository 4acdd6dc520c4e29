"""Words for generated records, chosen to hurt careless readers: accents, emoji, CJK, quotes, tabs,
right-to-left text, markup of terminals. A name comes with how it is written in an address.
"""

from __future__ import annotations

PEOPLE = (
    ("Anna", "anna"), ("José", "jose"), ("Zoë", "zoe"), ("Łukasz", "lukasz"), ("Åsa", "asa"),
    ("太郎", "taro"), ("美咲", "misaki"), ("Ngọc", "ngoc"), ("Seán", "sean"), ("D'Arcy", "darcy"),
    ("Mary-Jane", "mary-jane"), ("Олена", "olena"), ("محمد", "mohammed"), ("Sofía 🌻", "sofia"),
    ("[bold]Max[/bold]", "max"), ("Øyvind", "oyvind"), ("Chloé", "chloe"), ("Ravi", "ravi"),
    ("\"Buzz\"", "buzz"), ("Li", "li"), ("Kwame", "kwame"), ("Iñaki", "inaki"), ("Noor", "noor"),
)  # fmt: skip
FAMILIES = (
    ("Müller", "mueller"), ("O'Brien", "obrien"), ("García Márquez", "garcia"),
    ("Nguyễn", "nguyen"),
    ("山田", "yamada"), ("Smith", "smith"), ("Ångström", "angstrom"), ("van der Berg", "vdberg"),
    ("Çelik", "celik"), ("Dvořák", "dvorak"), ("Smith-Jones", "smith-jones"), ("李", "lee"),
    ("al-Farsi", "alfarsi"), ("Szczęsny", "szczesny"), ("Null", "null"), ("de la Cruz", "delacruz"),
    ("Okafor", "okafor"), ("N/A", "na"), ("Æbelø", "aebeloe"),
)  # fmt: skip
MAIL_HOSTS = ("example.com", "example.org", "mail.example", "contoso.example")
FIRMS = (
    "Northwind", "Café Größe", "株式会社サンプル", "Smith & Sons", "\"Quoted\" Ltd", "Zażółć",
    "[link]Brackets[/link] Inc", "Ünïcödé GmbH", "Acme 🚀", "Tab\tSeparated", "Comma, Inc.",
    "O'Reilly's", "Новый Мир", "Initech", "100% Pure; LLC",
)  # fmt: skip
SUBJECTS = (
    "Renewal", "Pilot", "Expansion — phase 2", "Größe XL", "年間契約", "Starter pack", "Émigré",
    "Upgrade [urgent]", "Migration 🛠", "Support <24h>",
)  # fmt: skip
CITIES = ("Berlin", "São Paulo", "東京", "Kraków", "Reykjavík", "New York", "Zürich", None)
STATES = ("BE", "SP", "NY", "CA", "Île-de-France", None)
COUNTRIES = ("Germany", "Brazil", "Japan", "Poland", "Iceland", "United States", "Côte d'Ivoire")
TITLES = ("CEO", "Head of R&D", "Développeuse", "Sales rep", "営業部長", None)
NOTES = (
    "Asked for a call back.", "Line one\nline two", "He said: \"maybe\"", "=SUM(A1:A9)", None,
    "Übergröße geprüft; ok", "\u202bשלום\u202c", "Very long text. " * 12, None, "a\\b\\c",
)  # fmt: skip
