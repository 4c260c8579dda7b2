"""Extensions of the Collector that are accepted and do nothing: pprof, zpages, file_storage."""
