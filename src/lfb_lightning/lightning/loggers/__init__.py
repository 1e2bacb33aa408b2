"""Loggers of training runs beside Lightning's CSV and TensorBoard ones, and what they are given beside numbers."""
