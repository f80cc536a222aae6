using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace ZfsSnapshotManager.Core.Api;

/// <summary>Authorities of one's own that are trusted for a server's certificate, and no others.</summary>
public sealed class CertificateAuthorities
{
    private readonly X509Certificate2Collection _certificates;

    private CertificateAuthorities(X509Certificate2Collection certificates) => _certificates = certificates;

    /// <param name="setting">The setting that names the file.</param>
    /// <param name="file">Certificates in PEM format.</param>
    /// <exception cref="OperationException">It cannot be read, or has no certificate.</exception>
    public static CertificateAuthorities Read(string setting, string file)
    {
        var certificates = new X509Certificate2Collection();
        try
        {
            certificates.ImportFromPemFile(file);
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw Refuse($"{setting}={file} cannot be read: {e.Message}", e);
        }

        return certificates.Count > 0
            ? new CertificateAuthorities(certificates)
            : throw Refuse($"{setting}={file} contains no certificate.", null);
    }

    /// <summary>Builds the certificate's chain to one of these authorities.</summary>
    /// <param name="certificate">The server's.</param>
    /// <param name="sent">The chain that was built from what the server sent.</param>
    /// <returns>What is wrong with it; empty if nothing.</returns>
    public IReadOnlyList<X509ChainStatus> Check(X509Certificate certificate, X509Chain? sent)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(_certificates);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck; // private authorities rarely publish lists
        if (sent is not null)
            chain.ChainPolicy.ExtraStore.AddRange(sent.ChainElements.Select(element => element.Certificate).ToArray());
        using var copy = new X509Certificate2(certificate);
        return chain.Build(copy) ? [] : chain.ChainStatus;
    }

    /// <summary>Accepts only a chain to one of these authorities, and only for the right name.</summary>
    public bool IsTrusted(object sender, X509Certificate? certificate, X509Chain? sent, SslPolicyErrors errors) =>
        certificate is not null
        && !errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch)
        && !errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable)
        && Check(certificate, sent).Count == 0;

    private static OperationException Refuse(string message, Exception? inner) =>
        new(ExitCode.Configuration, message, "It must contain certificates in PEM format.", inner);
}
