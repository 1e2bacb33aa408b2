"""Other tools' annotations and boxes as AVA's files: one module per form, and the parts that the forms share.

`python -m lfb_lightning.converters FORM FILE... OUT` is the command; `read_*` of a form's module yields `AnnotatedBox`es,
and `tables` turns those into an annotation csv and a label map that our own readers have read once before they are kept.
"""
