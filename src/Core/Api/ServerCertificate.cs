using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace ZfsSnapshotManager.Core.Api;

/// <summary>
/// Checks the certificate of zfs-server, or of the proxy in front of it, and says what is wrong with it.
/// </summary>
/// <param name="server">SERVER_URL.</param>
/// <param name="authorities">Null: the system's.</param>
internal sealed class ServerCertificate(Uri server, CertificateAuthorities? authorities)
{
    private const X509ChainStatusFlags Untrusted =
        X509ChainStatusFlags.UntrustedRoot | X509ChainStatusFlags.PartialChain;

    /// <summary>For <see cref="SslClientAuthenticationOptions.RemoteCertificateValidationCallback"/>.</summary>
    /// <exception cref="OperationException">It is not trusted; the connection fails with this.</exception>
    public bool Check(object sender, X509Certificate? certificate, X509Chain? sent, SslPolicyErrors errors)
    {
        if (certificate is null)
            return false; // TLS demands one
        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch))
            throw Refuse(
                $"its certificate is for other names ({NamesOf(certificate)})",
                "Use one of those names in SERVER_URL, or give the server a certificate for this name."
            );
        IReadOnlyList<X509ChainStatus> faults = sent?.ChainStatus ?? [];
        if (authorities is not null)
            faults = authorities.Check(certificate, sent);
        else if (!errors.HasFlag(SslPolicyErrors.RemoteCertificateChainErrors))
            return true;
        if (faults.Count == 0)
            return true;
        throw Describe(certificate, faults);
    }

    private OperationException Describe(X509Certificate certificate, IReadOnlyList<X509ChainStatus> faults)
    {
        if (faults.Any(fault => fault.Status.HasFlag(X509ChainStatusFlags.NotTimeValid)))
            return Refuse(
                $"its certificate is valid from {certificate.GetEffectiveDateString()} to "
                    + $"{certificate.GetExpirationDateString()} only",
                "Renew it on the server, or set this machine's clock."
            );
        if (faults.Any(fault => (fault.Status & Untrusted) != X509ChainStatusFlags.NoError))
            return Refuse(
                $"its certificate was issued by '{certificate.Issuer}', which "
                    + (authorities is null ? "this machine does not trust" : "is not in TLS_CA_FILE"),
                "If that is an authority of your own, name its certificate: TLS_CA_FILE=/path/to/ca.pem. If not, "
                    + "something on the way may read the connection."
            );
        return Refuse(string.Join("; ", faults.Select(fault => fault.StatusInformation.Trim())), "Check SERVER_URL.");
    }

    private static string NamesOf(X509Certificate certificate)
    {
        using var copy = new X509Certificate2(certificate);
        var names = copy
            .Extensions.OfType<X509SubjectAlternativeNameExtension>()
            .SelectMany(extension =>
                extension.EnumerateDnsNames().Concat(extension.EnumerateIPAddresses().Select(ip => ip.ToString()))
            )
            .ToList();
        return names.Count > 0 ? string.Join(", ", names) : copy.Subject;
    }

    private OperationException Refuse(string why, string remedy) =>
        new(
            ExitCode.Unreachable,
            $"The server at {server} is not trusted: {why}. Nothing was sent to it.",
            remedy,
            kind: FailureKind.User
        );
}
