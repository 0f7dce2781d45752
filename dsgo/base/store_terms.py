"""What the artifact store, its client and the backup must agree on."""

FTP_PORT = 2121
USER = "guest"
WORKSHOP_PASSWORD = "12345"  # of the workshop's store on this machine, where nobody set another
UPLOAD, PARTIAL = ".upload-", ".partial-"  # begin the names of files in flight: the server's and the client's
IN_FLIGHT = (UPLOAD, PARTIAL)
