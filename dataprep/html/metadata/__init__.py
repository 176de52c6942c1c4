"""What a page says about itself.

claims      where it says something, and the text there
jsonld      claims of JSON-LD
dates       dates as people and machines write them
names       titles without the site's name, authors without "by"
collect     elements to claims
choose      claims to fields
fields      title, author, date, language, address and kind of a page
"""
