import Ingest

await IngestService.main()
