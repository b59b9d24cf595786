using System.Diagnostics;
using System.Net.Sockets;
using Coherency.Guest.VirtualMachines;

namespace Coherency.Tests.Oracle;

/// <summary>The other end of eng/vm/guest-calls.c, on the host or in a guest.</summary>
internal sealed class CallExecutor : ICallExecutor
{
    /// <summary>A call is ended by its machine after 60 s; one that cannot be killed is not.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(150);

    private const string Greeting = "guest-calls ready";

    private readonly StreamReader _answers;
    private readonly StreamWriter _requests;
    private readonly IDisposable _owned;

    private CallExecutor(Stream answers, Stream requests, IDisposable owned)
    {
        _answers = new StreamReader(answers, System.Text.Encoding.Latin1);
        _requests = new StreamWriter(requests, System.Text.Encoding.Latin1, bufferSize: 1 << 16) { NewLine = "\n", AutoFlush = false };
        _owned = owned;
    }

    public static async Task<CallExecutor> StartOnHostAsync(VirtualMachineImage image)
    {
        Process process = Process.Start(
            new ProcessStartInfo(image.GuestCalls) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        CallExecutor executor = new(process.StandardOutput.BaseStream, process.StandardInput.BaseStream, process);
        await executor.WaitForGreetingAsync();
        return executor;
    }

    /// <summary>By a serial port of the machine.</summary>
    /// <param name="socket">On which QEMU listens with the port.</param>
    /// <param name="device">The port in the guest.</param>
    public static async Task<CallExecutor> StartInGuestAsync(VirtualMachine machine, string socket, string device = "/dev/ttyS2")
    {
        Socket line = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await line.ConnectAsync(new UnixDomainSocketEndPoint(socket));
        NetworkStream stream = new(line, ownsSocket: true);
        CallExecutor executor = new(stream, stream, stream);
        await machine.ExpectAsync($"guest-calls {device} >/run/guest-calls 2>&1 </dev/null &");
        await executor.WaitForGreetingAsync();
        return executor;
    }

    public Task<string> AskAsync(string request) => ReadOneAsync(request + "\n");

    /// <summary>In one message.</summary>
    public Task<string[]> RunAsync(int process, IReadOnlyList<string> calls) =>
        ConverseAsync($"run {process} {calls.Count}\n{string.Concat(calls.Select(call => call + "\n"))}", calls.Count);

    public async Task ExpectAsync(IReadOnlyList<string> requests)
    {
        string[] answers = await ConverseAsync(string.Concat(requests.Select(request => request + "\n")), requests.Count);
        for (int i = 0; i < answers.Length; i++)
        {
            if (answers[i] != "ok")
            {
                throw new InvalidOperationException($"guest-calls answers '{requests[i]}' with '{answers[i]}'");
            }
        }
    }

    public void Dispose()
    {
        try
        {
            _requests.Dispose();
        }
        catch (IOException)
        {
            // It has ended before.
        }

        _answers.Dispose();
        _owned.Dispose();
    }

    private async Task<string> ReadOneAsync(string message) => (await ConverseAsync(message, 1))[0];

    private async Task<string[]> ConverseAsync(string message, int answers)
    {
        using CancellationTokenSource deadline = new(Patience);
        await _requests.WriteAsync(message.AsMemory(), deadline.Token);
        await _requests.FlushAsync(deadline.Token);
        string[] lines = new string[answers];
        for (int i = 0; i < answers; i++)
        {
            lines[i] = await ReadLineAsync(deadline.Token);
        }

        return lines;
    }

    private async Task<string> ReadLineAsync(CancellationToken cancellation) =>
        await _answers.ReadLineAsync(cancellation) ?? throw new IOException("guest-calls has ended");

    /// <summary>What comes before is the line's noise.</summary>
    private async Task WaitForGreetingAsync()
    {
        using CancellationTokenSource deadline = new(Patience);
        while (!(await ReadLineAsync(deadline.Token)).EndsWith(Greeting, StringComparison.Ordinal))
        {
        }
    }
}
