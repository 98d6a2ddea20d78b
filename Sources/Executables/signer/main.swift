import Signer

await SignerService.main()
