"""Published rules as data: one YAML file a rule set, every number with its source. `dataprep.rules` reads them."""
