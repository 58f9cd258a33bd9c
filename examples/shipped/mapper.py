"""Gives the words of its input that are no stop words."""

import os
import sys

import helper

SUFFIX = os.environ["SUFFIX"]

with open("stop words.txt", encoding="utf-8") as words:
    STOP_WORDS = set(words.read().split())

for line in sys.stdin:
    for word in helper.words(line):
        if word not in STOP_WORDS:
            print(word + SUFFIX)
