"""From UTF-8 to a flat DOM, in one loop.

tags        the elements and attributes the scanner knows
automaton   words in class and id to categories
attributes  the attributes of a start tag
entities    character references
records     a page as arrays
borrow      arrays whose references numba does not count
raw         where text, comments and scripts end
measure     what a piece of text amounts to: characters, punctuation
tree        the stack of open elements
scan        the loop
"""
