import Testing

@testable import Simulation

@Suite struct StrayJobsTests {
  @Test("a task that was begun without a simulated process as its executor is counted")
  func strayTask() async throws {
    #expect(StrayJobs.watch())
    let before = StrayJobs.count
    await Task.detached {}.value
    #expect(StrayJobs.count > before)
  }
}
