import Ledger
import Monitor
import Payouts
import TestSupport
import Testing

/// A chain that stands still is told to operators, and one that goes on is not (DESIGN.md §4 "An alarm").
@Suite struct StandstillTests {
  @Test func `a head that stands still for two minutes is an alarm, once, and one that goes on is none`() async throws {
    try await PayingScene.run { scene in
      let monitor = try scene.monitor()
      for _ in 0..<60 {
        try await scene.live(1, monitor)
        try await look(scene, monitor)
      }
      #expect(try await scene.alarms().isEmpty)
      // Nobody makes a block any more.
      for _ in 0..<23 {
        try await scene.wait(milliseconds: 5_000)
        try await look(scene, monitor)
      }
      #expect(try await scene.alarms().isEmpty, "it stood still for 115 s")
      try await scene.wait(milliseconds: 5_000)
      try await look(scene, monitor)
      #expect(try await scene.alarms() == ["head_stalled"])
      for _ in 0..<60 {
        try await scene.wait(milliseconds: 5_000)
        try await look(scene, monitor)
      }
      #expect(try await scene.alarms() == ["head_stalled"], "one alarm stands")
      #expect(try await scene.count("SELECT count FROM alarms") == 3)
    }
  }

  @Test func `a solid block that stays the newest for two minutes of the chain is an alarm while the head goes on`()
    async throws
  {
    try await PayingScene.run { scene in
      let monitor = try scene.monitor()
      try await scene.live(3, monitor)
      try await look(scene, monitor)
      await scene.node.setSolid(await scene.node.solidNumber)
      for _ in 0..<39 {
        try await scene.live(1, monitor)
        try await look(scene, monitor)
      }
      #expect(try await scene.alarms().isEmpty, "39 slots went by")
      try await scene.live(1, monitor)
      try await look(scene, monitor)
      #expect(try await scene.alarms() == ["solid_stalled"])
      // It goes on, and after an operator has acknowledged the alarm nothing raises another.
      try await scene.force("UPDATE alarms SET acknowledged_at = ledger_now()")
      await scene.node.setSolid(nil)
      for _ in 0..<60 {
        try await scene.live(1, monitor)
        try await look(scene, monitor)
      }
      #expect(try await scene.alarms() == ["solid_stalled"])
    }
  }

  @Test func `solid blocks that are read more slowly than they come are an alarm once they are ten minutes behind`()
    async throws
  {
    // As where one node of several answers each time just before its call is given up.
    try await PayingScene.run { scene in
      let monitor = try scene.monitor()
      func pass(_ blocks: Int, reading read: Int) async throws {
        try await scene.produce(blocks)
        try await scene.run(monitor.followHead)
        let last = try #require(try await scene.ledger.cursor(.solid)).number + Int64(read)
        await scene.node.setSolid(last)
        try await scene.run(monitor.followSolid)
        try await look(scene, monitor)
      }
      try await scene.read(monitor)
      for _ in 0..<29 { try await pass(10, reading: 3) }
      #expect(try await scene.alarms().isEmpty, "it is not ten minutes behind, or not for two")
      for _ in 0..<2 { try await pass(10, reading: 3) }
      #expect(try await scene.alarms() == ["solid_behind"])
      // Whoever catches up calls nobody.
      try await scene.force("UPDATE alarms SET acknowledged_at = ledger_now()")
      for _ in 0..<20 { try await pass(4, reading: 12) }
      #expect(try await scene.alarms() == ["solid_behind"])
    }
  }

  @Test func `forks of two blocks, or three deep ones within more than ten minutes, call nobody`() async throws {
    for (depth, minutes) in [(Int64(2), 0), (5, 6)] {
      try await PayingScene.run { scene in
        let monitor = try scene.monitor()
        for _ in 0..<3 {
          try await scene.produce(6 + 20 * minutes)
          try await scene.run(monitor.followHead)
          await scene.node.fork(above: await scene.node.head.number - depth)
          try await scene.produce(Int(depth) + 1)
          try await scene.run(monitor.followHead)
          #expect(try await scene.ledger.cursor(.head) == (await scene.node.headPlace))
        }
        #expect(try await scene.alarms().isEmpty, "depth \(depth)")
      }
    }
  }

  @Test func `a Monitor that starts after 20 minutes without one reads on and alarms nobody`() async throws {
    try await PayingScene.run { scene in
      let first = try scene.monitor()
      try await scene.live(20, first)
      try await look(scene, first)
      try await scene.produce(400)
      let second = try scene.monitor()
      try await look(scene, second)
      try await scene.read(second)
      try await look(scene, second)
      #expect(try await scene.alarms().isEmpty)
    }
  }

  @Test func `a fork that undoes 19 blocks is an alarm, and one that undoes 18 is none`() async throws {
    for (depth, alarms) in [(Int64(18), []), (19, ["deep_reorganisation"])] {
      try await PayingScene.run { scene in
        let monitor = try scene.monitor()
        try await scene.read(monitor)
        await scene.node.setSolid(await scene.node.solidNumber)
        try await scene.live(20, monitor)
        await scene.node.fork(above: await scene.node.head.number - depth)
        for _ in 0...depth { try await scene.produce() }
        try await scene.read(monitor)
        #expect(try await scene.alarms() == alarms)
      }
    }
  }

  private func look(_ scene: PayingScene, _ monitor: MonitorSteps) async throws {
    try await scene.run(monitor.noticeStandstill)
  }
}
