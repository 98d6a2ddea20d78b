import Monitor

await MonitorService.main()
