import Ledger
import Payouts
import Streams
import Testing

@testable import Ingest

/// Payouts that wait for a window, over HTTP.
struct WindowOverHTTPTests {
  @Test(arguments: [
    ("hourly", StreamName.payoutsHourly, Int64(3_600_000)), ("DAILY", .payoutsDaily, 86_400_000),
    ("Weekly", .payoutsWeekly, 604_800_000),
  ])
  func `a payout for a window is told when that ends, again and again, and goes to its stream`(
    _ type: String, _ stream: StreamName, _ length: Int64
  ) async throws {
    // Proves the answer's word against the ledger's row, that a replay says the same although windows have another length
    // by then, and that the Scheduler is woken through the stream of the type and no other.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let body = payoutBody(["batch_type": "\"\(type)\"", "priority": "\"urgent\""])
      let reply = try await ingest.post(body, key: "k")
      #expect(reply.status == 201)
      #expect(try reply.text("batch_type") == type.lowercased())
      #expect(try reply.text("priority") == "urgent")
      let id = try #require(try reply.text("payout_id"))
      let payoutID = try PayoutID(id)
      let record = try #require(try await scene.ledger.payout(payoutID))
      let end = record.windowEnd
      // Counted from Monday, 5 January 1970.
      #expect((end.milliseconds - 345_600_000).isMultiple(of: length))
      #expect(end > record.statusSince && end.milliseconds(since: record.statusSince) <= length)

      let waiting = try #require(try reply.member("waiting_for"))
      #expect(waiting["what"]?.textValue == "window")
      #expect(waiting["detail"]?.textValue == "the end of the \(type.lowercased()) window at \(end)")
      let estimate = try Timestamp(rfc3339: #require(try reply.text("estimated_confirmation")))
      #expect(estimate == end.advanced(byMilliseconds: (5 + 19) * 3_000))
      let now = try await ingest.get("/payouts/\(id)")
      let stillWaiting = try #require(try now.member("waiting_for"))
      #expect(stillWaiting["detail"] == waiting["detail"])
      #expect(try now.text("estimated_confirmation") == estimate.description)

      try await until("it is enqueued") { try await scene.streams.length(of: stream) == 1 }
      #expect(try await scene.enqueued(in: stream) == [id])
      #expect(try await scene.streams.length(of: .payoutsImmediate) == 0)

      _ = try await scene.ledger.setWindows(WindowLengths(hourly: 1_000, daily: 1_000, weekly: 1_000))
      let replay = try await ingest.post(body, key: "k")
      #expect(replay.headers.first(name: "Idempotency-Replayed") == "true" && replay.bytes == reply.bytes)
    }
  }
}
