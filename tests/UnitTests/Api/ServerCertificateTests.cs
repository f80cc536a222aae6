using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Configuration;

namespace ZfsSnapshotManager.UnitTests.Api;

/// <summary>A server with a certificate of a private authority, over real TLS.</summary>
public sealed class ServerCertificateTests : IDisposable
{
    private static readonly DateTimeOffset Now = TimeProvider.System.GetUtcNow();

    private readonly X509Certificate2 _authority = CreateAuthority("CN=our authority");
    private readonly string _file = Path.GetTempFileName();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _authority.Dispose();
        File.Delete(_file);
    }

    [Fact]
    public async Task An_authority_of_one_s_own_is_trusted_if_it_is_named()
    {
        await File.WriteAllTextAsync(_file, _authority.ExportCertificatePem(), Token);
        using var certificate = Sign("localhost", TimeSpan.FromDays(1));

        await ConnectAsync(certificate, _file);
    }

    [Fact]
    public async Task An_authority_that_is_not_trusted_is_named_with_the_setting()
    {
        using var certificate = Sign("localhost", TimeSpan.FromDays(1));

        var refused = await RefuseAsync(certificate, null);

        Assert.Contains("issued by 'CN=our authority'", refused.Message, StringComparison.Ordinal);
        Assert.Contains("TLS_CA_FILE=", refused.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_authority_than_the_named_one_is_not_trusted()
    {
        using var other = CreateAuthority("CN=another");
        await File.WriteAllTextAsync(_file, other.ExportCertificatePem(), Token);
        using var certificate = Sign("localhost", TimeSpan.FromDays(1));

        var refused = await RefuseAsync(certificate, _file);

        Assert.Contains("not in TLS_CA_FILE", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_certificate_for_another_name_is_refused_with_its_names()
    {
        await File.WriteAllTextAsync(_file, _authority.ExportCertificatePem(), Token);
        using var certificate = Sign("nas.example", TimeSpan.FromDays(1));

        var refused = await RefuseAsync(certificate, _file);

        Assert.Contains("nas.example", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_certificate_that_has_expired_is_refused_with_its_dates()
    {
        await File.WriteAllTextAsync(_file, _authority.ExportCertificatePem(), Token);
        using var certificate = Sign("localhost", TimeSpan.FromDays(-1));

        var refused = await RefuseAsync(certificate, _file);

        Assert.Contains("is valid from", refused.Message, StringComparison.Ordinal);
        Assert.Contains("Renew it", refused.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_without_TLS_is_named()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var serving = ServeAsync(listener, null);
        using var client = new ApiClient(ConnectionTo(listener, null));

        var failed = await Assert.ThrowsAsync<OperationException>(() => client.GetTimeAsync(Token));

        Assert.Contains("does not speak TLS", failed.Message, StringComparison.Ordinal);
        Assert.Contains("http://", failed.Remedy, StringComparison.Ordinal);
        await serving;
    }

    [Fact]
    public void A_file_without_a_certificate_is_a_fault_of_the_settings()
    {
        File.WriteAllText(_file, "nothing");

        var refused = Assert.Throws<OperationException>(() => CertificateAuthorities.Read("TLS_CA_FILE", _file));

        Assert.Equal(ExitCode.Configuration, refused.ExitCode);
        Assert.Contains($"TLS_CA_FILE={_file}", refused.Message, StringComparison.Ordinal);
    }

    private static async Task<OperationException> RefuseAsync(X509Certificate2 certificate, string? file)
    {
        var refused = await Assert.ThrowsAsync<OperationException>(() => ConnectAsync(certificate, file));
        Assert.Equal(ExitCode.Unreachable, refused.ExitCode);
        Assert.Equal(FailureKind.User, refused.Kind);
        Assert.Contains("is not trusted", refused.Message, StringComparison.Ordinal);
        return refused;
    }

    private static async Task ConnectAsync(X509Certificate2 certificate, string? file)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var serving = ServeAsync(listener, certificate);
        try
        {
            using var client = new ApiClient(ConnectionTo(listener, file));
            await client.GetTimeAsync(Token);
        }
        finally
        {
            await serving;
        }
    }

    private static ServerConnection ConnectionTo(TcpListener listener, string? file) =>
        new("c", new Secret("k"), new Uri($"https://localhost:{((IPEndPoint)listener.LocalEndpoint).Port}/"))
        {
            CaFile = file,
        };

    /// <summary>Answers one connection, with TLS if it has a certificate.</summary>
    private static async Task ServeAsync(TcpListener listener, X509Certificate2? certificate)
    {
        using var connection = await listener.AcceptTcpClientAsync(Token);
        Stream stream = connection.GetStream();
        try
        {
            if (certificate is not null)
            {
                var secure = new SslStream(stream);
                await secure.AuthenticateAsServerAsync(certificate);
                stream = secure;
            }

            _ = await stream.ReadAsync(new byte[4096], Token);
            await stream.WriteAsync(Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), Token);
        }
        catch (Exception e) when (e is IOException or System.Security.Authentication.AuthenticationException)
        {
            // The client did not trust it.
        }
        finally
        {
            await stream.DisposeAsync();
        }
    }

    private static X509Certificate2 CreateAuthority(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        return request.CreateSelfSigned(Now.AddYears(-1), Now.AddYears(1));
    }

    private X509Certificate2 Sign(string name, TimeSpan until)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=server", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        using var signed = request.Create(_authority, Now.AddDays(-10), Now + until, [1, 2, 3, 4]);
        using var whole = signed.CopyWithPrivateKey(key);
        return X509CertificateLoader.LoadPkcs12(whole.Export(X509ContentType.Pkcs12), null);
    }
}
