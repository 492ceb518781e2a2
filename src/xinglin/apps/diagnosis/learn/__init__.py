"""The engine fitted on labelled dialogues (symptoms asked and answered, a confirmed disease)."""
