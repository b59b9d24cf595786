using System.Globalization;
using Coherency.Guest.VirtualMachines;

namespace Coherency.Bench.Guests;

/// <summary>Counts requests by what the guest's own kernel says of itself.</summary>
/// <param name="command">Prints numbers, whose sum is the count.</param>
internal sealed class GuestFileCounter(VirtualMachine machine, string command) : IRequestCounter
{
    public async Task<RequestCounts> ReadAsync()
    {
        string text = await machine.ExpectAsync(command);
        long sum = text.Split(default(char[]), StringSplitOptions.RemoveEmptyEntries).Sum(number => long.Parse(number, CultureInfo.InvariantCulture));
        return new RequestCounts(sum, 0);
    }

    public void Dispose()
    {
    }
}
