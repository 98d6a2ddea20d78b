import Payoutctl

await PayoutctlProgram.main()
