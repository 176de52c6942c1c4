"""From kept blocks to plain text or Markdown.

layout      what a page's elements mean for its layout
columns     which column of its table a cell is in
lines       where the lines of a rendered page begin and end
inline      formats, links and quotation marks inside them
scripts     text above and below the line
formulas    TeX
mathml      MathML as TeX
drawn       formulas that MathJax drew beside their TeX
room        how many bytes a page's text can take at most
render      the loop
"""
