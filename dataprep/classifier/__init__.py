"""Training a quality classifier the DCLM way (Li et al. 2024, arXiv 2406.11794); `dataprep.signals.classifier` scores.

settings   what is trained: inputs, sample, fastText's parameters, each with its source
corpus     inputs become batches of lines, as fastText reads them
sample     equal numbers of both classes, spread over the inputs; what is held out
measure    precision, recall, ROC AUC, histograms, the threshold for a keep rate
train      all of it: inputs in, a directory with the model and its report out
"""
