"""From a page's bytes to UTF-8.

encodings       labels and tables as the web means them
prescan         where a page names its encoding
charset         bytes are decoded once, and never raise: the rules, for one page
charset_batch   the same for a batch, without copying what is UTF-8 (charset_kernel, prescan_kernel)
"""
