"""Converting other tools' annotations and boxes to AVA's files: one module per form, and the parts that the forms share.

`python -m lfb_lightning.converters FORM FILE... OUT` is the command. The function `read_*` of a form's module yields
`AnnotatedBox`es, and `tables` turns those into an annotation csv and a label map. Both are read back by the readers of
`lfb_lightning.ava` before they are kept.
"""
