import Scheduler

await SchedulerService.main()
