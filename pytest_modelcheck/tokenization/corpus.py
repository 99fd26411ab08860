"""Texts that tokenizers get wrong: each stands for one trap. Written with escapes where an editor would hide them."""

from __future__ import annotations

# What stands for something else in one vocabulary or another.
LITERALS: tuple[str, ...] = (
    "[CLS]",
    "[SEP]",
    "[UNK]",
    "[PAD]",
    "[MASK]",
    "<s>",
    "</s>",
    "<unk>",
    "<pad>",
    "<|endoftext|>",
    "<|im_start|>",
    "<0x41>",
    "\u2581",
    "\u0120",
    "##ing",
    "\ufffd",
)

HARD_TEXTS: tuple[str, ...] = (
    # plain, capitals, accents
    "The quick brown fox jumps over the lazy dog.",
    "MODEL Checks, Mixed CaSe and ALLCAPS",
    "Cr\u00e8me br\u00fbl\u00e9e, na\u00efve fa\u00e7ade, \u0141\u00f3d\u017a, \u00c5ngstr\u00f6m",
    # the same letters composed and decomposed; ligatures and fullwidth forms
    "caf\u00e9 r\u00e9sum\u00e9",
    "cafe\u0301 re\u0301sume\u0301",
    "\ufb01nal \ufb02ow o\ufb03ce",
    "\uff26\uff55\uff4c\uff4c\uff57\uff49\uff44\uff54\uff48 \uff11\uff12\uff13",
    # emoji: a joined family, skin tones, flags
    "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 at home",
    "\U0001f44d\U0001f3fb \U0001f44d\U0001f3ff \U0001f1f3\U0001f1f1\U0001f1ef\U0001f1f5",
    # right to left, with and without bidirectional controls
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645",
    "left \u2067\u05d9\u05de\u05d9\u05df\u2069 left \u202eoverridden\u202c end",
    # scripts that stack, join or do without spaces
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01",
    "Z\u0351\u036b\u0343a\u0363\u0348l\u034b\u035c g\u030d\u0321o\u0321",
    "\u4eca\u5929\u5929\u6c14\u5f88\u597d\u3002",
    "\ud55c\uad6d\uc5b4 \ubb38\uc7a5\uc785\ub2c8\ub2e4",
    "rare \U00020bb7 ideograph",
    # control characters, invisible characters, and characters that are not
    "null\x00byte",
    "bell\x07 and escape\x1b[31m",
    "no\u00a0break, thin\u2009space, ideographic\u3000space",
    "zero\u200bwidth, soft\u00adhyphen",
    "\ufeffbyte order mark first",
    "replacement \ufffd character",
    "private \ue000 use and \ufdd0 noncharacter",
    # white space
    "  leading, trailing and   inner   runs  ",
    "tab\tseparated\t\tvalues",
    "unix\nnewline\n\nblank line",
    "dos\r\nnewline, old mac\rnewline",
    "line\u2028separator",
    "     ",
    "\n\n\n",
    "",
    # length
    "a" * 500,
    "0123456789" * 20,
    # code, punctuation, addresses
    "def f(x):\n    return x**2 if x != 0 else -1  # comment",
    "Is it ? Yes , it is ! ( spaced ) don 't we 'll",
    "https://example.org/a/b?q=1&r=%20#frag",
    # literals that mean something to a tokenizer
    "[CLS] a user wrote [SEP] and [MASK]",
    "<|endoftext|> and <s> and </s>",
    "<0x41> \u2581 \u0120 ##ing",
    # letters whose case mapping changes their number
    "\u0130stanbul, \u1e9e, \u01c5",
)
