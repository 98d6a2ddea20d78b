import Foundation
import Ledger
import Payouts
import Signer
import Streams
import TestSupport
import Testing
import Tron

/// An entry that always fails, from its first delivery to the payment after an operator's retry: on real Redis and real
/// PostgreSQL, with the built `payoutctl`.
@Suite struct DeadLetterTests {
  /// More starts of a Signer than an entry is delivered before it is given up.
  private static let startsMax = 24

  private func payoutctl(_ arguments: [String], _ scene: PayingScene, redis: String) async throws -> TestProcess.Outcome
  {
    try await TestProcess.run(
      "/usr/bin/setsid", ["--wait", TestProcess.builtExecutable("payoutctl")] + arguments,
      environment: ["PATH": "/usr/bin:/bin", "DATABASE_URL": scene.url, "REDIS_URL": redis], within: .seconds(120))
  }

  private func json(_ outcome: TestProcess.Outcome) throws -> [[String: Any]] {
    #expect(outcome.exitCode == 0, "\(outcome.errors)")
    return try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [[String: Any]])
  }

  /// Lets PostgreSQL refuse to sign payout 2.
  private func refuse(_ scene: PayingScene) async throws {
    try await scene.pool.executeScript(
      """
      CREATE FUNCTION refuse_one() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF NEW.status = 'signed' AND NEW.id = '\(PayingScene.payoutID(2))' THEN
          RAISE EXCEPTION 'the test refuses this payout';
        END IF;
        RETURN NEW;
      END $$;
      CREATE TRIGGER refuse_one BEFORE UPDATE ON payouts FOR EACH ROW EXECUTE FUNCTION refuse_one();
      """)
  }

  @Test func `an entry that always fails becomes a dead letter alone, and its retry pays once`() async throws {
    try await PayingScene.run { scene in
      let (streams, redis) = try await PayingScene.redis(database: 211)
      try await scene.follow()
      // Three batches in one read; the one in the middle holds a payout that cannot be signed, and a neighbour of its own.
      var batches: [BatchID] = []
      for numbers in [1...1, 2...3, 4...4] { batches.append(try await scene.schedule(numbers: numbers)) }
      try await refuse(scene)
      try await streams.append(batches.map { [StreamField.batchID: "\($0)"] }, to: .batchesReady)

      // The process ends over it again and again: each start delivers what its last life held.
      let dead = StreamName.batchesReady.deadLetters
      var starts: UInt8 = 0
      while try await streams.length(of: dead) == 0, starts < Self.startsMax {
        starts += 1
        let signer = try scene.signer(on: streams, run: starts)
        try await scene.run(signer.vouch)
        // Fails as long as the entry is there.
        _ = try? await scene.run(signer.sign)
        try await scene.produce(11)
        try await scene.follow()
      }
      #expect(try await streams.length(of: dead) == 1)
      #expect(try await streams.length(of: .batchesReady) == 0)
      // Alone: its neighbours of the same read were signed, its own payouts are safe with a reason.
      for number in [1, 4] { #expect(try await scene.status(number) == .signed) }
      for number in 2...3 {
        let record = try await scene.record(number)
        #expect(record.status == .held && record.heldFrom == .scheduled)
        #expect(record.holdReason == HoldReason.deadLetter.rawValue)
        #expect(record.note == "the batch could not be signed: refused")
      }
      #expect(try await scene.alarms() == ["dead_letter"])

      // What an operator sees.
      let letters = try json(try await payoutctl(["dead-letters", "--json"], scene, redis: redis))
      let letter = try #require(letters.first)
      #expect(letters.count == 1 && letter["stream"] as? String == "batches.ready")
      #expect(letter["fields"] as? [String: String] == [StreamField.batchID: "\(batches[1])"])
      #expect(letter["error"] as? String == "the batch could not be signed: refused")
      #expect(letter["group"] as? String == "signer" && (letter["deliveries"] as? Int ?? 0) > 8)
      let held = try json(try await payoutctl(["held", "--json"], scene, redis: redis))
      #expect(
        Set(held.compactMap { $0["payout_id"] as? String })
          == Set((2...3).map { PayingScene.payoutID($0).description }))

      // The cause is mended; a retry before the release signs nothing, and after it everything once.
      try await scene.pool.executeScript("DROP TRIGGER refuse_one ON payouts")
      let id = try #require(letter["id"] as? String)
      let retried = try await payoutctl(["dead-letters", "retry", "batches.ready", id], scene, redis: redis)
      #expect(retried.exitCode == 0, "\(retried.errors)")
      let signer = try scene.signer(on: streams, run: 100)
      try await scene.run(signer.vouch)
      try await scene.run(signer.sign)
      #expect(try await scene.status(2) == .held)
      for number in 2...3 {
        let released = try await payoutctl(
          ["release", "\(PayingScene.payoutID(number))", "--reason", "mended"], scene, redis: redis)
        #expect(released.exitCode == 0, "\(released.errors)")
      }
      let again = try await payoutctl(["dead-letters", "retry", "batches.ready", id], scene, redis: redis)
      #expect(again.exitCode == 1, "the letter was put back before")
      // Nobody has to announce it: the sweeper finds it, and however often it comes it is signed once.
      try await scene.produce(11)
      try await scene.follow()
      for _ in 0..<3 {
        try await scene.run(signer.sweep)
        try await streams.append([[StreamField.batchID: "\(batches[1])"]], to: .batchesReady)
        try await scene.run(signer.sign)
        try await scene.run(signer.broadcast)
        try await scene.produce()
        try await scene.follow()
      }
      for number in 2...3 {
        #expect(try await scene.attempts(number).count == 1)
        #expect(await scene.node.payments(to: PayingScene.recipient(number)).count == 1)
      }
      #expect(try await streams.length(of: dead) == 0)
    }
  }
}
