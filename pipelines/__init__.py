"""Jobs that move data: datasets -> validate -> derive intents -> split -> TFRecord -> fit -> evaluate -> export."""
