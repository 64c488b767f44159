import smtplib
import ftplib
import telnetlib

LIMIT = 5000


def send(to, subject, body):
    with smtplib.SMTP("localhost", 1025, timeout=3000) as s:
        s.sendmail("shop@example.com", to, f"Subject: {subject}\n\n{body} (2024)")
    smtplib.SMTP_SSL("smtp.example.com", 465)
    ftplib.FTP_TLS("ftp.example.com")
    telnetlib.Telnet("127.0.0.1", 2323)
